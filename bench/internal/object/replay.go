package object

import (
	"strconv"
	"strings"
)

// Version is a resourceVersion from which the replay server's watches go on.
const Version = "1"

// Namespace is the namespace of the replay server that has n objects, and n events.
func Namespace(n int) string { return "n-" + strconv.Itoa(n) }

// Count is the n of a [Namespace].
func Count(namespace string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(namespace, "n-")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0
}
