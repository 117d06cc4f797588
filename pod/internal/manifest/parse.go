package manifest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"
)

const (
	maxName  = 64 << 10
	maxBatch = 1 << 20
)

// Parse reads the listing that [List] makes. What it says is not trusted: paths are checked.
func Parse(r io.Reader, hashed bool) (*Manifest, error) {
	p := &parser{r: bufio.NewReaderSize(r, 64<<10), hashed: hashed, m: &Manifest{}}
	for {
		done, err := p.block()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("read the list of files: %w", err)
		}
		if done {
			break
		}
	}
	if err := p.m.finish(); err != nil {
		return nil, fmt.Errorf("read the list of files: %w", err)
	}
	return p.m, nil
}

type parser struct {
	r      *bufio.Reader
	hashed bool
	m      *Manifest
}

func (p *parser) line() (string, error) {
	s, err := p.r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	return string(s[:len(s)-1]), nil
}

func (p *parser) name() (string, error) {
	var b bytes.Buffer
	for {
		s, err := p.r.ReadSlice(0)
		b.Write(s)
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && b.Len() < maxName:
			continue
		case err != nil:
			return "", err
		}
		return string(b.Bytes()[:b.Len()-1]), nil
	}
}

func (p *parser) block() (done bool, err error) {
	line, err := p.line()
	if err != nil {
		return false, err
	}
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "T": // the clock and whether the top is a folder
		seconds, single, _ := strings.Cut(rest, " ")
		n, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil {
			return false, err
		}
		p.m.Now, p.m.Single = time.Unix(n, 0), single == "file"
		return false, nil
	case "B":
		n, err := strconv.Atoi(rest)
		if err != nil || n < 1 || n > maxBatch {
			return false, fmt.Errorf("a batch of %q", rest)
		}
		return false, p.batch(n)
	case "F":
		return false, p.found()
	case "H":
		return false, p.hashes()
	case "E":
		return true, nil
	}
	return false, fmt.Errorf("unexpected %q", line)
}

// batch reads names, then a line of stat for each, then the targets of those that are symbolic links, then, if asked for,
// hashes of those that are files.
func (p *parser) batch(n int) error {
	var batch []Entry
	for range n {
		name, err := p.name()
		if err != nil {
			return err
		}
		batch = append(batch, Entry{Path: name})
	}
	for i := range batch {
		line, err := p.line()
		if err != nil {
			return err
		}
		if err := batch[i].stat(line); err != nil {
			return fmt.Errorf("%q: %w", batch[i].Path, err)
		}
	}
	for i := range batch {
		if batch[i].Kind == Symlink {
			target, err := p.name()
			if err != nil {
				return err
			}
			batch[i].Target = target
		}
	}
	for i := range batch {
		if batch[i].Kind == File && p.hashed {
			hash, err := readHash(p.r, batch[i].Path)
			if err != nil {
				return err
			}
			batch[i].Hash = hash
		}
	}
	for _, e := range batch {
		p.add(e)
	}
	return nil
}

func (p *parser) add(e Entry) {
	e.Path = strings.TrimPrefix(e.Path, "./")
	if e.Path == "." || e.Path == "" {
		p.m.Top = e
		return
	}
	p.m.Entries = append(p.m.Entries, e)
}

// found reads what GNU's find says, up to an empty name.
func (p *parser) found() error {
	for {
		name, err := p.name()
		if err != nil || name == "" {
			return err
		}
		line, err := p.line()
		if err != nil {
			return err
		}
		e := Entry{Path: name}
		if err := e.found(line); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if e.Target, err = p.name(); err != nil {
			return err
		}
		p.add(e)
	}
}

// hashes reads hashes of some or all files with their names, up to an empty name.
func (p *parser) hashes() error {
	known := map[string]string{}
	for {
		line, err := p.name()
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		hash, name, err := cutHash(line)
		if err != nil {
			return err
		}
		known[strings.TrimPrefix(name, "./")] = hash
	}
	for i := range p.m.Entries {
		if e := &p.m.Entries[i]; e.Kind == File {
			e.Hash = known[e.Path]
		}
	}
	return nil
}

// stat reads a line made with [statFormat].
func (e *Entry) stat(line string) error {
	f := strings.Fields(line)
	if len(f) < 10 {
		return fmt.Errorf("stat says %q", line)
	}
	mode, err := strconv.ParseUint(f[0], 16, 32)
	var numbers [7]int64 // size, mtime, ctime, links, inode, device, blocks
	for i := range numbers {
		if err == nil {
			numbers[i], err = strconv.ParseInt(f[i+1], 10, 64)
		}
	}
	if err != nil {
		return fmt.Errorf("stat says %q: %w", line, err)
	}
	e.Mode = uint32(mode) & 0o7777
	switch mode & 0o170000 {
	case 0o100000:
		e.Kind, e.Size = File, numbers[0]
		e.Sparse = numbers[6]*512 < e.Size
		if numbers[3] > 1 {
			e.inode = [2]uint64{uint64(numbers[5]), uint64(numbers[4])}
		}
	case 0o040000:
		e.Kind = Dir
	case 0o120000:
		e.Kind = Symlink
	default:
		e.Kind = Other
	}
	e.MTime, e.CTime = time.Unix(numbers[1], nanos(f[9])), time.Unix(numbers[2], 0)
	return nil
}

// found reads a line made with [findFormat].
func (e *Entry) found(line string) error {
	f := strings.Fields(line)
	if len(f) != 9 {
		return fmt.Errorf("find says %q", line)
	}
	mode, err := strconv.ParseUint(f[1], 8, 32)
	var numbers [5]int64 // size, links, inode, device, blocks
	for i, at := range [...]int{2, 5, 6, 7, 8} {
		if err == nil {
			numbers[i], err = strconv.ParseInt(f[at], 10, 64)
		}
	}
	e.MTime, err = clock(f[3], err)
	e.CTime, err = clock(f[4], err)
	if err != nil {
		return fmt.Errorf("find says %q: %w", line, err)
	}
	e.CTime = e.CTime.Truncate(time.Second)
	e.Mode = uint32(mode) & 0o7777
	switch f[0] {
	case "f":
		e.Kind, e.Size = File, numbers[0]
		e.Sparse = numbers[4]*512 < e.Size
		if numbers[1] > 1 {
			e.inode = [2]uint64{uint64(numbers[3]), uint64(numbers[2])}
		}
	case "d":
		e.Kind = Dir
	case "l":
		e.Kind = Symlink
	default:
		e.Kind = Other
	}
	return nil
}

// clock reads seconds with a fraction, which counts upwards also before 1970. It goes on from an error.
func clock(text string, err error) (time.Time, error) {
	if err != nil {
		return time.Time{}, err
	}
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	return time.Unix(seconds, nanos("."+fraction[:min(9, len(fraction))])), err
}

// nanos reads the fraction of "16:27:29.123456789".
func nanos(clock string) int64 {
	_, fraction, ok := strings.Cut(clock, ".")
	if !ok || len(fraction) > 9 {
		return 0
	}
	n, err := strconv.ParseInt(fraction+strings.Repeat("0", 9-len(fraction)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// readHash reads what md5sum and its like say of a file whose name is known: it may hold a line's end, which some write as
// it is and some with a backslash.
func readHash(r *bufio.Reader, name string) (string, error) {
	first, err := r.Peek(1)
	if err != nil {
		return "", err
	}
	written := name
	if first[0] == '\\' {
		_, _ = r.Discard(1) // it is buffered
		written = strings.NewReplacer("\\", `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
	}
	hash, err := r.ReadSlice(' ')
	if err != nil {
		return "", err
	}
	h := string(hash[:len(hash)-1])
	got := make([]byte, 1+len(written)+1)
	if _, err := io.ReadFull(r, got); err != nil {
		return "", err
	}
	if string(got[1:]) != written+"\n" || !isHash(h) {
		return "", fmt.Errorf("hash of %q: got %q for %q", name, h, got)
	}
	return h, nil
}

// cutHash takes apart what a program says of a file when it ends each with a zero byte: "HASH  NAME", or of cksum "CRC SIZE
// NAME" in decimal, which becomes hex like the others.
func cutHash(line string) (hash, name string, err error) {
	hash, rest, _ := strings.Cut(line, " ")
	if isHash(hash) && rest != "" {
		return hash, rest[1:], nil // a space or an asterisk stands before the name
	}
	crc, err := strconv.ParseUint(hash, 10, 32)
	_, name, ok := strings.Cut(rest, " ")
	if err != nil || !ok {
		return "", "", fmt.Errorf("%q is no hash", line)
	}
	return fmt.Sprintf("%08x", crc), name, nil
}

func isHash(h string) bool { return len(h) >= 32 && strings.Trim(h, "0123456789abcdef") == "" }

// ParseHashes reads what [Hash] says of the paths it was given. zeros says that it ends each hash with a zero byte.
func ParseHashes(r io.Reader, paths []string, zeros bool) (map[string]string, error) {
	p := &parser{r: bufio.NewReaderSize(r, 64<<10)}
	hashes := make(map[string]string, len(paths))
	for _, path := range paths {
		h, err := p.hash("./"+path, zeros)
		if err != nil {
			return nil, fmt.Errorf("read hashes: %w", err)
		}
		hashes[path] = h
	}
	return hashes, nil
}

func (p *parser) hash(path string, zeros bool) (string, error) {
	if !zeros {
		return readHash(p.r, path)
	}
	line, err := p.name()
	if err != nil {
		return "", err
	}
	h, name, err := cutHash(line)
	if err == nil && name != path {
		err = fmt.Errorf("got that of %q for %q", name, path)
	}
	return h, err
}

// Base is the name of a single file's manifest.
func (m *Manifest) Base() string {
	if m.Single && len(m.Entries) == 1 {
		return path.Base(m.Entries[0].Path)
	}
	return ""
}
