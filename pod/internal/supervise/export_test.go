package supervise

// Say is what the script says, marked.
func Say(m Mark, words string) []byte { return append(m.bytes(), words...) }

// First is the first half of the mark.
func (m Mark) First() []byte { return []byte(m.half[0]) }
