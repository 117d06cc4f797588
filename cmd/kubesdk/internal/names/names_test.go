package names_test

import (
	"go/token"
	"math/rand/v2"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/names"
)

func TestExported(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"name": "Name", "apiVersion": "APIVersion", "httpGet": "HTTPGet", "clusterIPs": "ClusterIPs", "podCIDR": "PodCIDR", "ambassador_id": "AmbassadorID",
		"x-y": "XY", "$ref": "DollarRef", "@type": "AtType", "3scale": "X3scale", "-": "Dash", "": "Empty", ".": "Dot", "a b": "AB", "HTTPSProxy": "HTTPSProxy",
		"dnsNames": "DNSNames", "tls.crt": "TLSCrt", "URL": "URL", "ids": "IDs", "oidcURLs": "OIDCURLs", "ünïcode": "Ünïcode", "漢字": "X漢字", "😀": "U1F600",
		"-Xms": "Xms", "v1beta2": "V1beta2", "ec2": "EC2", "MyIPAddress": "MyIPAddress", "type": "Type",
	} {
		if got := names.Exported(in); got != want {
			t.Errorf("Exported(%q) = %s, want %s", in, got, want)
		}
	}
}

func FuzzExported(f *testing.F) {
	for _, seed := range []string{"", "a", "$", "a`b", "\x00", "日本", "ǅ", "0", "__", "a\u0301"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if !utf8.ValidString(in) {
			t.Skip("JSON strings are valid UTF-8")
		}
		got := names.Exported(in)
		first, _ := utf8.DecodeRuneInString(got)
		if !token.IsIdentifier(got) || !unicode.IsUpper(first) {
			t.Errorf("Exported(%q) = %q, which is no exported identifier", in, got)
		}
		if !token.IsIdentifier("T" + names.Suffix(in)) {
			t.Errorf("Suffix(%q) = %q, which ends no identifier", in, names.Suffix(in))
		}
	})
}

func TestSingular(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"containers": "container", "policies": "policy", "addresses": "address", "status": "status", "dns": "dns", "ips": "ip", "boxes": "box",
		"branches": "branch", "tls": "tls", "ids": "id", "hostAliases": "hostAlias", "databases": "database", "series": "series", "env": "env", "class": "class",
	} {
		if got := names.Singular(in); got != want {
			t.Errorf("Singular(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestPackage(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"v1": "v1", "v1-beta-2": "v1beta2", "package": "packageapi", "2021": "v2021", "": "v", "main": "mainapi", "My_Models": "mymodels"} {
		if got := names.Package(in); got != want {
			t.Errorf("Package(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestAssign(t *testing.T) {
	t.Parallel()
	claims := []names.Claim{
		{Key: "a", Candidates: []string{"Port", "WidgetPort"}},
		{Key: "b", Candidates: []string{"Port", "GadgetPort"}},
		{Key: "c", Candidates: []string{"Kind", "WidgetKind"}},
		{Key: "d", Candidates: []string{"Same"}},
		{Key: "e", Candidates: []string{"Same"}},
		{Key: "f", Candidates: []string{"New", "WidgetNew"}, Pinned: "Old"},
	}
	want := []string{"WidgetPort", "GadgetPort", "WidgetKind", "Same", "Same2", "Old"}
	reserved := map[string]bool{"Kind": true}
	if diff := cmp.Diff(want, names.Assign(reserved, claims)); diff != "" {
		t.Error(diff)
	}
	for range 20 { // the order of the claims does not matter
		order := rand.Perm(len(claims))
		shuffled, expected := make([]names.Claim, len(claims)), make([]string, len(claims))
		for i, j := range order {
			shuffled[i], expected[i] = claims[j], want[j]
		}
		if diff := cmp.Diff(expected, names.Assign(reserved, shuffled)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	api := []string{"FOO", "foo-bar", "fooBar", "foo_bar", "deepCopy"}
	got, collisions := names.Members(map[string]bool{"DeepCopy": true}, nil, names.Exported, api)
	if diff := cmp.Diff(map[string]string{"FOO": "FOO", "fooBar": "FooBar", "foo-bar": "FooBar2", "foo_bar": "FooBar3", "deepCopy": "DeepCopy2"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"fooBar": "FooBar", "foo-bar": "FooBar2", "foo_bar": "FooBar3", "deepCopy": "DeepCopy2"}, collisions); diff != "" {
		t.Error(diff)
	}
	// A name that comes later does not take the place of one that is pinned.
	got, _ = names.Members(nil, collisions, names.Exported, append(api, "foo+bar", "foo.bar"))
	for name, pinned := range collisions {
		if got[name] != pinned {
			t.Errorf("%s became %s, was %s", name, got[name], pinned)
		}
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	l, err := names.ParseLock(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Packages["example.com/v1"] = &names.PackageLock{Types: map[string][]string{"B": {"Kind.spec.x"}, "A": {"Kind.spec.x", "Kind.spec.y"}}}
	again, err := names.ParseLock(l.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"Kind.spec.x": "A", "Kind.spec.y": "A"}, again.Packages["example.com/v1"].ByPath()); diff != "" {
		t.Error(diff)
	}
	if _, err := names.ParseLock([]byte("<<<<<<< HEAD")); err == nil {
		t.Error("a lock file with a merge conflict was read")
	}
}
