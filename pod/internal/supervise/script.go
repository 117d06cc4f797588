package supervise

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Shell is the interpreter of the scripts. It is named by its path, so that an error of the runtime about it is
// recognizable.
const Shell = "/bin/sh"

// decode is how both scripts begin. $1 and $2 are the halves of the mark, $3 the separator, $4 the encoded fields: folder,
// number of environment variables, those, command. Names begin with _k, so that no exported variable is overwritten.
const decode = `_km=$1$2;IFS=$3;set -f;set -- $(printf %b "$4");unset IFS;set +f;_kd=$1;_kn=$2;shift 2
while [ "$_kn" -gt 0 ];do export "$1";shift;_kn=$((_kn-1));done
if [ -n "$_kd" ]&&! cd -- "$_kd" 2>/dev/null;then printf '%s!dir %s\n' "$_km" "$(cd -- "$_kd" 2>&1)" >&2;exit 125;fi
if ! command -v -- "$1" >/dev/null 2>&1;then printf '%s!command\n' "$_km" >&2;exit 127;fi
read -r _ks 2>/dev/null </proc/$$/stat;printf '%s>%s %s\n' "$_km" $$ "$_ks" >&2
`

// watched runs the command and says how it ended. Signals to the group reach the command; the script outlives it. The
// shell's own remarks about a killed child go nowhere.
const watched = decode + `exec 3>&2 2>/dev/null;trap : HUP INT TERM
(trap - HUP INT TERM;exec "$@" 2>&3 3>&-);_ks=$?
printf '%s<%s\n' "$_km" $_ks;printf '%s<%s\n' "$_km" $_ks >&3
`

// leave ends watched, after it has taken what is left of the input up to its end if there is one. Where input is under way
// when a command ends, servers close connections that still have something to read, and with it drop output that is on its
// way the other way.
const leave, takeInput = `exit $_ks`, `cat >/dev/null||while read -r _k;do :;done;exit $_ks`

// replaced becomes the command: for terminals, whose keys signal a whole foreground group.
const replaced = decode + `exec "$@"`

// Mark is what the script's own words begin with, random for each command.
type Mark struct{ half [2]string }

// NewMark makes a random mark.
func NewMark() Mark {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails
	h := hex.EncodeToString(b)
	return Mark{[2]string{"\x1e" + h[:16], h[16:]}}
}

func (m Mark) bytes() []byte { return []byte(m.half[0] + m.half[1]) }

// Command is what to run.
type Command struct {
	Args []string
	Env  []string // NAME=VALUE
	Dir  string   // empty: where the container starts
	TTY  bool
	// Input says that there is standard input. It has to end when the script has said on both outputs that the command
	// has ended: the script waits for that.
	Input bool
}

// Wrap is the argument list that runs c and marks what it says with m.
func Wrap(c Command, m Mark) ([]string, error) {
	fields := append([]string{c.Dir, strconv.Itoa(len(c.Env))}, c.Env...)
	for _, e := range c.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || !isIdentifier(name) {
			return nil, fmt.Errorf("environment variable %q: want NAME=VALUE, with a name of letters, digits and _", e)
		}
	}
	separator, blob, err := encode(append(fields, c.Args...))
	if err != nil {
		return nil, err
	}
	script := watched + leave
	switch {
	case c.TTY:
		script = replaced
	case c.Input:
		script = watched + takeInput
	}
	return []string{Shell, "-c", script, "kubesdk", m.half[0], m.half[1], separator, blob}, nil
}

// encode puts fields into one word for the shell's printf %b. Each field ends with the separator, a byte that is in none.
func encode(fields []string) (separator, blob string, err error) {
	var used [256]bool
	for _, f := range fields {
		for i := range len(f) {
			used[f[i]] = true
		}
	}
	if used[0] {
		return "", "", errors.New("a zero byte in an argument, in the environment or in the folder's name")
	}
	sep := byte(1)
	for used[sep] || sep == '\t' || sep == '\n' || sep == '\r' {
		if sep++; sep >= ' ' {
			return "", "", errors.New("the arguments contain every control character: one must be free to separate them")
		}
	}
	var b strings.Builder
	for _, f := range fields {
		for i := range len(f) {
			if plain(f[i]) && i%3 != 2 {
				b.WriteByte(f[i])
			} else {
				fmt.Fprintf(&b, `\0%03o`, f[i])
			}
		}
		fmt.Fprintf(&b, `\0%03o`, sep)
	}
	return string(sep), b.String(), nil
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '/' || c == '.' || c == '-' || c == '_' || c == '='
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// end ends a process group: $1 its number, $2 when its leader began, $3 how many tenths of a second it may take to end by
// itself. Zombies count as ended: nobody may be there to collect them.
const end = `p=$1;if [ -n "$2" ]&&read -r s 2>/dev/null </proc/$p/stat;then w=$2;g=$3;s=${s##*) };set -- $s;[ "${20}" = "$w" ]||exit 0;set -- $p $w $g;fi
alive(){ for f in /proc/[0-9]*/stat;do if read -r s <$f;then s=${s##*) };set -- $s;case $1 in Z|X);;*)[ "$3" = $p ]&&return 0;;esac;fi;done 2>/dev/null;return 1;}
n=$3
alive||exit 0
kill -s TERM -- -$p 2>/dev/null
while [ "$n" -gt 0 ];do alive||exit 0;sleep 0.1||sleep 1;n=$((n-1));done
kill -s KILL -- -$p
n=20
while [ $n -gt 0 ];do alive||exit 9;sleep 0.1||sleep 1;n=$((n-1));done 2>/dev/null
echo "process group $p is still there after SIGKILL" >&2;exit 1`

// The exit codes of [End].
const (
	EndedByTerm = 0
	EndedByKill = 9
)

// Process is the command as the container sees it.
type Process struct {
	PID     int
	Started string // its start time in the kernel's words; empty if unknown
}

// End is the argument list that ends a command and all processes of its group.
func End(p Process, tenths int) []string {
	return []string{Shell, "-c", end, "kubesdk", strconv.Itoa(p.PID), p.Started, strconv.Itoa(tenths)}
}
