package textblock

import (
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

func TestString(t *testing.T) {
	t.Parallel()
	var s Strings
	buf := []byte(strings.Repeat("abcdefghij", 1000) + strings.Repeat("the same, the same, ", 1000))
	var got, want []string
	for i, pos := 0, 0; pos < len(buf); i++ {
		n := min(i%300, len(buf)-pos)
		want = append(want, strings.Clone(string(buf[pos:pos+n])))
		got = append(got, s.String(buf[pos:pos+n], len(buf)-pos))
		pos += max(n, 1)
		if i%50 == 0 {
			s.Done()
		}
	}
	clear(buf)
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("string %d: got %q, want %q", i, got[i], want[i])
		}
	}
}

func TestStringsAreShared(t *testing.T) {
	t.Parallel()
	var s Strings
	var last string
	for i := range 5 {
		got := s.String([]byte("node.kubernetes.io/not-ready"), 1000)
		if shared := unsafe.StringData(got) == unsafe.StringData(last); shared != (i > 1) {
			t.Errorf("time %d: shared: %v", i, shared)
		}
		last = got
	}
}

func TestAllocations(t *testing.T) {
	var s Strings
	n, buf := int64(1e9), make([]byte, 16)
	once := testing.AllocsPerRun(10, func() {
		s.Done()
		for i := range 100 {
			n++
			s.String(strconv.AppendInt(buf[:0], n, 10), 10*(100-i))
		}
	})
	if once > 3 {
		t.Errorf("100 different strings of 10 bytes took %v allocations", once)
	}
	running := []byte("Running")
	again := testing.AllocsPerRun(10, func() {
		s.Done()
		for i := range 100 {
			s.String(running, 10*(100-i))
		}
	})
	if again != 0 {
		t.Errorf("a string seen before took %v allocations", again)
	}
}
