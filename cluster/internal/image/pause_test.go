package image

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

func TestPauseProgramRunsUntilKilled(t *testing.T) {
	t.Parallel()
	program, err := pauseProgram(runtime.GOARCH)
	if err != nil {
		t.Skip(err)
	}
	path := filepath.Join(t.TempDir(), "pause")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	// SIGCHLD wakes pause(2); the program must go on to sleep.
	for range 3 {
		select {
		case err := <-ended:
			t.Fatalf("ended by itself: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		cmd.Process.Signal(syscall.SIGCHLD)
	}
	cmd.Process.Kill()
	<-ended
}

func TestPauseProgramIsELF(t *testing.T) {
	t.Parallel()
	for arch, want := range pauseCode {
		program, err := pauseProgram(arch)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "pause")
		if err := os.WriteFile(path, program, 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := elf.Open(path)
		if err != nil {
			t.Fatalf("%s: %v", arch, err)
		}
		defer f.Close()
		if f.Machine != want.machine || f.Type != elf.ET_EXEC || len(f.Progs) != 1 {
			t.Errorf("%s: machine %v, type %v, %d segments", arch, f.Machine, f.Type, len(f.Progs))
		}
	}
	if _, err := pauseProgram("mips"); err == nil {
		t.Error("an unknown architecture has a program")
	}
}
