package image

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"time"
)

// pauseCode is, for each architecture, the whole program of a pod's first container: ignore SIGCHLD, so that the kernel
// reaps the orphans of pods whose containers share its pid namespace, then sleep until killed. The words after the code
// are the struct sigaction.
var pauseCode = map[string]struct {
	machine elf.Machine
	code    []byte
}{
	"amd64": {elf.EM_X86_64, []byte{
		0xb8, 13, 0, 0, 0, // mov eax, SYS_rt_sigaction
		0xbf, 17, 0, 0, 0, // mov edi, SIGCHLD
		0x48, 0x8d, 0x35, 19, 0, 0, 0, // lea rsi, [rip+19]: act
		0x31, 0xd2, // xor edx, edx
		0x41, 0xba, 8, 0, 0, 0, // mov r10d, sizeof(sigset_t)
		0x0f, 0x05, // syscall
		0xb8, 34, 0, 0, 0, // mov eax, SYS_pause
		0x0f, 0x05, // syscall
		0xeb, 0xf7, // jmp -9: mov eax, SYS_pause
		1, 0, 0, 0, 0, 0, 0, 0, // act: sa_handler = SIG_IGN
		2, 0, 0, 0, 0, 0, 0, 0, // sa_flags = SA_NOCLDWAIT
		0, 0, 0, 0, 0, 0, 0, 0, // sa_restorer
		0, 0, 0, 0, 0, 0, 0, 0, // sa_mask
	}},
	"arm64": {elf.EM_AARCH64, words(
		0xd28010c8, // mov x8, SYS_rt_sigaction (134)
		0xd2800220, // mov x0, SIGCHLD
		0x10000181, // adr x1, +48: act
		0xd2800002, // mov x2, 0
		0xd2800103, // mov x3, sizeof(sigset_t)
		0xd4000001, // svc 0
		0xd2800928, // mov x8, SYS_ppoll (73)
		0xd2800000, // mov x0, 0
		0xd2800001, // mov x1, 0
		0xd2800002, // mov x2, 0
		0xd2800003, // mov x3, 0
		0xd4000001, // svc 0
		0x17fffffa, // b -24: mov x8, SYS_ppoll
		0xd503201f, // nop, to align act
		1, 0,       // act: sa_handler = SIG_IGN
		2, 0, // sa_flags = SA_NOCLDWAIT
		0, 0, // sa_restorer
		0, 0, // sa_mask
	)},
}

func words(w ...uint32) []byte {
	var code []byte
	for _, x := range w {
		code = binary.LittleEndian.AppendUint32(code, x)
	}
	return code
}

// pauseProgram is an ELF file of one segment with the program for the architecture, as Go names it.
func pauseProgram(arch string) ([]byte, error) {
	p, ok := pauseCode[arch]
	if !ok {
		return nil, fmt.Errorf("a node can't run on the architecture %s", arch)
	}
	const (
		base       = 0x400000
		headerSize = 64
		phdrSize   = 56
		entry      = headerSize + phdrSize
	)
	size := uint64(entry + len(p.code))
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(p.machine), Version: uint32(elf.EV_CURRENT),
		Entry: base + entry, Phoff: headerSize, Ehsize: headerSize, Phentsize: phdrSize, Phnum: 1,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	segment := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
		Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 0x10000,
	}
	var file bytes.Buffer
	for _, part := range []any{header, segment, p.code} {
		if err := binary.Write(&file, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	return file.Bytes(), nil
}

// Pause is an archive of the image that holds a pod's namespaces, for this machine, named ref.
func Pause(ref string) ([]byte, error) {
	program, err := pauseProgram(runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp("", "localkube-pause-*.tar")
	if err != nil {
		return nil, fmt.Errorf("build the pause image: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer func() { _ = f.Close() }()
	t := tar.NewWriter(f)
	header := &tar.Header{Name: "pause", Mode: 0o755, Size: int64(len(program)), ModTime: time.Unix(0, 0)}
	if err := t.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := t.Write(program); err != nil {
		return nil, err
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	root := &RootFS{path: f.Name()}
	err = root.Write(&archive, ref, Config{Entrypoint: []string{"/pause"}, User: "65535:65535"})
	return archive.Bytes(), err
}
