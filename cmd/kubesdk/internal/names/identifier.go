package names

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// initialisms are written in capitals, as golint and the Kubernetes API have it. Keys are lower-case.
var initialisms = func() map[string]string {
	m := map[string]string{"ids": "IDs", "ips": "IPs", "urls": "URLs", "uris": "URIs", "cidrs": "CIDRs", "uids": "UIDs", "crds": "CRDs", "vms": "VMs", "ipv4": "IPv4", "ipv6": "IPv6"}
	for w := range strings.FieldsSeq("acl acme api arn asn aws bgp ca cidr cpu crd css csi csr db dns ebs ec2 ecs efs " +
		"eks eof fqdn gce gcp gcs gke gpu grpc guid hpa html http https iam id io ip iam jmx json jvm jwt jwks kms ldap lb mtls " +
		"mtu nfs nic nlb oci oidc os pid pdb pvc qos qps ram rbac rds rpc s3 saml sasl sdk sha sla slo smtp sni sns sql sqs ssd " +
		"ssh ssl sso sts tcp tls ttl udp ui uid uri url utf8 uuid vm vpc vpn xml xss yaml") {
		m[w] = strings.ToUpper(w)
	}
	return m
}()

// symbols are spelled out where a name has nothing else that tells it from its neighbors.
var symbols = map[rune]string{
	'$': "Dollar", '@': "At", '#': "Hash", '*': "Star", '+': "Plus", '=': "Equal", '!': "Not", '<': "Less", '>': "Greater",
	'~': "Tilde", '&': "And", '|': "Or", '%': "Percent", '^': "Caret", '?': "Question", '.': "Dot", '-': "Dash", '_': "Underscore",
	'/': "Slash", '\\': "Backslash", ':': "Colon", ';': "Semicolon", ',': "Comma", '\'': "Quote", '"': "DoubleQuote", '`': "Backquote",
	'(': "LeftParen", ')': "RightParen", '[': "LeftBracket", ']': "RightBracket", '{': "LeftBrace", '}': "RightBrace", ' ': "Space",
}

// separators split words and are dropped where letters remain.
const separators = "-_./: ,;'\"`\\()[]{}\t\n\r"

// Exported returns the exported Go identifier for an API name: words are joined in camel case, initialisms
// are capitals, other symbols are spelled out, and a name that starts with a digit gets the prefix "X". It
// never returns an empty string, and always a valid identifier.
func Exported(name string) string {
	out := Suffix(name)
	if first, _ := utf8.DecodeRuneInString(out); !unicode.IsUpper(first) {
		out = "X" + out
	}
	return out
}

// Suffix returns what follows a type name in the name of a constant: like [Exported], but it may start with a
// digit.
func Suffix(value string) string {
	if digits, ok := strings.CutPrefix(value, "-"); ok && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return "Minus" + digits
	}
	var b strings.Builder
	for _, w := range words(value) {
		b.WriteString(capitalize(w))
	}
	if b.Len() == 0 {
		for _, r := range value {
			b.WriteString(spell(r))
		}
	}
	if b.Len() == 0 {
		return "Empty"
	}
	return b.String()
}

func spell(r rune) string {
	if s, ok := symbols[r]; ok {
		return s
	}
	return "U" + strings.ToUpper(hex(r))
}

func hex(r rune) string {
	const digits = "0123456789abcdef"
	s := ""
	for v := uint32(r); v > 0 || len(s) < 4; v >>= 4 {
		s = string(digits[v&15]) + s
	}
	return s
}

// words splits a name at separators and at the borders of camel case. Symbols other than separators become
// words of their own.
func words(name string) []string {
	var out []string
	var cur []rune
	flush := func() {
		if len(cur) > 0 {
			out = append(out, string(cur))
			cur = nil
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if i > 0 && unicode.IsUpper(r) && len(cur) > 0 {
				prev := runes[i-1]
				nextLower := i+1 < len(runes) && unicode.IsLower(runes[i+1])
				if !unicode.IsUpper(prev) || nextLower && !plural(runes[i:]) {
					flush()
				}
			}
			cur = append(cur, r)
		case strings.ContainsRune(separators, r):
			flush()
		default:
			flush()
			out = append(out, spell(r))
		}
	}
	flush()
	return out
}

// plural tells that what follows is the last capital of an initialism with a plural s, as in "clusterIPs".
func plural(rest []rune) bool {
	return len(rest) >= 2 && rest[1] == 's' && (len(rest) == 2 || unicode.IsUpper(rest[2]))
}

func capitalize(word string) string {
	if s, ok := initialisms[strings.ToLower(word)]; ok {
		return s
	}
	r, n := utf8.DecodeRuneInString(word)
	return string(unicode.ToUpper(r)) + word[n:]
}

// Singular returns the singular of an English plural, for the element type of a list. It errs on the side of
// leaving a word alone.
func Singular(word string) string {
	lower := strings.ToLower(word)
	switch {
	case initialisms[strings.TrimSuffix(lower, "s")] != "" && strings.HasSuffix(word, "s"):
		return word[:len(word)-1]
	case len(word) < 4:
	case strings.HasSuffix(lower, "ss"), strings.HasSuffix(lower, "us"), strings.HasSuffix(lower, "is"), strings.HasSuffix(lower, "dns"), strings.HasSuffix(lower, "tls"), strings.HasSuffix(lower, "aws"), strings.HasSuffix(lower, "https"):
	case strings.HasSuffix(lower, "series"), strings.HasSuffix(lower, "species"):
	case strings.HasSuffix(word, "ies"):
		return word[:len(word)-3] + "y"
	case strings.HasSuffix(word, "sses"), strings.HasSuffix(lower, "aliases"), strings.HasSuffix(lower, "statuses"), strings.HasSuffix(word, "xes"), strings.HasSuffix(word, "ches"), strings.HasSuffix(word, "shes"):
		return word[:len(word)-2]
	case strings.HasSuffix(word, "s"):
		return word[:len(word)-1]
	}
	return word
}

// Package returns a Go package name for an API version or the last element of an import path: lower-case
// letters and digits, never a keyword.
func Package(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		}
	}
	out := b.String()
	if out == "" || out[0] >= '0' && out[0] <= '9' {
		out = "v" + out
	}
	if keywords[out] || out == "main" || out == "init" {
		out += "api"
	}
	return out
}

var keywords = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq("break case chan const continue default defer else fallthrough for func go goto if import " +
		"interface map package range return select struct switch type var") {
		m[w] = true
	}
	return m
}()
