package textblock

import (
	"strings"
	"testing"
)

func TestString(t *testing.T) {
	t.Parallel()
	var b Block
	buf := []byte(strings.Repeat("abcdefghij", 1000))
	var got, want []string
	for i, pos := 0, 0; pos < len(buf); i++ {
		n := min(i%300, len(buf)-pos)
		want = append(want, strings.Clone(string(buf[pos:pos+n])))
		got = append(got, b.String(buf[pos:pos+n], len(buf)-pos))
		pos += max(n, 1)
	}
	clear(buf)
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("string %d: got %q, want %q", i, got[i], want[i])
		}
	}
}

func TestStringAllocates(t *testing.T) {
	buf := []byte("0123456789")
	allocs := testing.AllocsPerRun(10, func() {
		var b Block
		for i := range 100 {
			b.String(buf, 10*(100-i))
		}
	})
	if allocs > 2 {
		t.Errorf("100 strings of 10 bytes took %v allocations", allocs)
	}
}
