package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inode tells hard links to the same file.
type inode struct{ dev, ino uint64 }

// packer writes a directory as a tar, in the order of file names.
type packer struct {
	tar  *tar.Writer
	root string
	// keepOwners is for root, whose files in a root file system belong to whom they should.
	keepOwners bool
	links      map[inode]string
}

func packDir(w io.Writer, dir string) error {
	p := &packer{tar: tar.NewWriter(w), root: dir, keepOwners: os.Geteuid() == 0, links: map[inode]string{}}
	if err := filepath.WalkDir(dir, p.add); err != nil {
		return err
	}
	return p.tar.Close()
}

func (p *packer) add(path string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	name, err := filepath.Rel(p.root, path)
	if err != nil || name == "." {
		return err
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	if info.Mode().Type() == fs.ModeSocket {
		return nil // a tar can't hold it, and it would be dead
	}
	header, err := p.header(path, filepath.ToSlash(name), info)
	if err != nil {
		return err
	}
	if err := p.tar.WriteHeader(header); err != nil {
		return fmt.Errorf("pack %s: %w", path, err)
	}
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := io.Copy(p.tar, f); err != nil {
		return fmt.Errorf("pack %s: %w", path, err)
	}
	return nil
}

func (p *packer) header(path, name string, info fs.FileInfo) (*tar.Header, error) {
	target := ""
	if info.Mode().Type() == fs.ModeSymlink {
		var err error
		if target, err = os.Readlink(path); err != nil {
			return nil, err
		}
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", path, err)
	}
	h.Name = name
	if info.IsDir() {
		h.Name += "/"
	}
	h.Format = tar.FormatPAX
	h.ModTime, h.AccessTime, h.ChangeTime = time.Unix(0, 0), time.Time{}, time.Time{}
	// The names are this machine's, and mean others in the image.
	h.Uname, h.Gname = "", ""
	if !p.keepOwners {
		h.Uid, h.Gid = 0, 0
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && info.Mode().IsRegular() && stat.Nlink > 1 {
		id := inode{stat.Dev, stat.Ino}
		if first, seen := p.links[id]; seen {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
			return h, nil
		}
		p.links[id] = name
	}
	if h.Typeflag != tar.TypeSymlink {
		err = addXattrs(h, path)
	}
	return h, err
}

// addXattrs adds the attributes that mean the same elsewhere: file capabilities and the user's own.
func addXattrs(h *tar.Header, path string) error {
	size, err := unix.Llistxattr(path, nil)
	if errors.Is(err, unix.ENOTSUP) || size == 0 && err == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the attributes of %s: %w", path, err)
	}
	list := make([]byte, size)
	if size, err = unix.Llistxattr(path, list); err != nil {
		return fmt.Errorf("list the attributes of %s: %w", path, err)
	}
	for _, attr := range strings.Split(strings.TrimRight(string(list[:size]), "\x00"), "\x00") {
		if attr != "security.capability" && !strings.HasPrefix(attr, "user.") {
			continue
		}
		value := make([]byte, 64<<10) // the kernel's limit
		n, err := unix.Lgetxattr(path, attr, value)
		if err != nil {
			return fmt.Errorf("read the attribute %s of %s: %w", attr, path, err)
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords["SCHILY.xattr."+attr] = string(value[:n])
	}
	return nil
}
