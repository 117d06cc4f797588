package agent

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Name of the agent's binary in the folder that it is installed in.
const Name = "devserver-agent"

// Install copies the running binary into a folder, which has to exist, under the name [Name].
func Install(dir string) error {
	target := filepath.Join(dir, Name)
	if err := copySelf(target); err != nil {
		return fmt.Errorf("install the agent as %s: %w", target, err)
	}
	return nil
}

func copySelf(target string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // only read
	fresh := target + ".new"
	to, err := os.OpenFile(fresh, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		_ = to.Close() // the copy's error says more
		return err
	}
	if err := to.Close(); err != nil {
		return err
	}
	return os.Rename(fresh, target)
}
