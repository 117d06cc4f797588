package archive

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// lseek(2): where data begins, and where it ends.
const (
	seekData = 3
	seekHole = 4
)

// segments are the parts of a file that are not holes.
func segments(f *os.File, size int64) ([]segment, error) {
	var out []segment
	for at := int64(0); at < size; {
		begin, err := f.Seek(at, seekData)
		if errors.Is(err, syscall.ENXIO) {
			break // nothing but a hole is left
		}
		if err != nil {
			return nil, err
		}
		end, err := f.Seek(begin, seekHole)
		if err != nil {
			return nil, err
		}
		out = append(out, segment{begin, end - begin})
		at = end
	}
	_, err := f.Seek(0, io.SeekStart)
	return align(out, size), err
}
