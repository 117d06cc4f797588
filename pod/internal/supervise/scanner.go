package supervise

import (
	"bytes"
	"io"
	"strconv"
	"strings"
)

// maxWord bounds what the script says at once: a line of /proc/PID/stat, an error of cd.
const maxWord = 8 << 10

// Words are what the script said so far on one stream.
type Words struct {
	Process Process
	Problem string // "command" or "dir ...": why nothing was run
	Ended   bool
	Code    int
}

// Scanner passes on what is written to it, without the script's own words. It holds back only what may be the beginning
// of a mark.
type Scanner struct {
	out    io.Writer
	mark   []byte
	hear   func(Words)
	words  Words
	held   []byte
	inWord bool
}

// NewScanner passes on to out, and tells hear, if it is not nil, all words heard so far whenever there are new ones.
func NewScanner(m Mark, out io.Writer, hear func(Words)) *Scanner {
	return &Scanner{out: out, mark: m.bytes(), hear: hear}
}

// Words are those heard so far.
func (s *Scanner) Words() Words { return s.words }

// Write takes the next bytes of the stream, however they are cut.
func (s *Scanner) Write(p []byte) (int, error) {
	n := len(p)
	if len(s.held) > 0 {
		p = append(s.held, p...)
		s.held = nil
	}
	for len(p) > 0 {
		var err error
		if p, err = s.step(p); err != nil {
			return 0, err
		}
		if len(s.held) > 0 {
			break
		}
	}
	return n, nil
}

// step consumes p up to the next mark or the end of a word, and returns the rest.
func (s *Scanner) step(p []byte) ([]byte, error) {
	if s.inWord {
		i := bytes.IndexByte(p, '\n')
		switch {
		case i >= 0:
			s.inWord = false
			s.word(strings.TrimSuffix(string(p[:i]), "\r")) // a terminal adds it
			return p[i+1:], nil
		case len(p) > maxWord: // not the script's
			s.inWord = false
			return p, nil
		}
		s.held = bytes.Clone(p)
		return nil, nil
	}
	i := bytes.Index(p, s.mark)
	if i >= 0 {
		s.inWord = true
		return p[i+len(s.mark):], s.pass(p[:i])
	}
	keep := partial(p, s.mark)
	s.held = bytes.Clone(p[len(p)-keep:])
	return nil, s.pass(p[:len(p)-keep])
}

func (s *Scanner) pass(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := s.out.Write(p)
	return err
}

// Flush passes on what was held back, at the end of the stream.
func (s *Scanner) Flush() error {
	p := s.held
	s.held = nil
	if s.inWord {
		return nil // the script was cut off in the middle of a word
	}
	return s.pass(p)
}

// partial is the length of the longest end of p that mark begins with.
func partial(p, mark []byte) int {
	for n := min(len(p), len(mark)-1); n > 0; n-- {
		if p[len(p)-n] == mark[0] && bytes.HasPrefix(mark, p[len(p)-n:]) {
			return n
		}
	}
	return 0
}

func (s *Scanner) word(w string) {
	if w == "" {
		return
	}
	switch rest := w[1:]; w[0] {
	case '>':
		s.words.Process = parseProcess(rest)
	case '!':
		s.words.Problem = rest
	case '<':
		code, err := strconv.Atoi(rest)
		if err != nil {
			return
		}
		s.words.Ended, s.words.Code = true, code
	}
	if s.hear != nil {
		s.hear(s.words)
	}
}

// parseProcess reads "PID " and the contents of /proc/PID/stat, which may be missing. The second field of those is a name
// in brackets; the start time is the 22nd (proc_pid_stat(5)).
func parseProcess(text string) Process {
	pid, stat, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(pid)
	if err != nil {
		return Process{}
	}
	p := Process{PID: n}
	if i := strings.LastIndex(stat, ") "); i >= 0 {
		if fields := strings.Fields(stat[i+2:]); len(fields) >= 20 {
			p.Started = fields[19]
		}
	}
	return p
}
