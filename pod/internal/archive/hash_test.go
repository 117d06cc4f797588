package archive_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"fmt"
	"hash"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/kubesdk/kubesdk/pod/internal/archive"
)

// TestHashers holds the hashes to what the programs say, whatever pieces they come in.
func TestHashers(t *testing.T) {
	t.Parallel()
	random := rand.NewChaCha8([32]byte{7})
	for _, size := range []int{0, 1, 7, 31, 32, 33, 255, 256, 4095, 4096, 4097, 70_000} {
		content := make([]byte, size)
		_, _ = random.Read(content) // it never fails
		for _, program := range []string{"cksum", "sha1sum", "md5sum", "sha256sum"} {
			cmd := exec.CommandContext(t.Context(), program)
			cmd.Stdin = bytes.NewReader(content)
			out, err := cmd.Output()
			if err != nil {
				t.Skip(err)
			}
			want, _, _ := strings.Cut(string(out), " ")
			if program == "cksum" {
				n, err := strconv.ParseUint(want, 10, 32)
				if err != nil {
					t.Fatal(err)
				}
				want = fmt.Sprintf("%08x", n)
			}
			h := archive.HasherOf(program).New()
			for rest := content; len(rest) > 0; {
				n := min(len(rest), 1+int(random.Uint64()%5000)) //nolint:gosec // below 5000
				_, _ = h.Write(rest[:n])                         // it never fails
				rest = rest[n:]
			}
			for range 2 { // Sum changes nothing
				if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
					t.Errorf("%s of %d bytes: %s, want %s", program, size, got, want)
				}
			}
		}
	}
}

func BenchmarkHashers(b *testing.B) {
	for name, h := range map[string]hash.Hash{"cksum": archive.HasherOf("cksum").New(), "sha1": sha1.New(), "md5": md5.New()} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 128<<10)
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				_, _ = h.Write(buf) // it never fails
			}
		})
	}
}
