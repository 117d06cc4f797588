package names

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// LockFile is the name of the lock file in the output folder.
const LockFile = "kubesdk.lock.json"

const lockComment = "Names chosen by kubesdk generate, so that later runs keep them. Commit it; delete it to choose anew."

// Lock holds the names of all packages of an output folder, by "group/version".
type Lock struct {
	Comment  string                  `json:"comment"`
	Packages map[string]*PackageLock `json:"packages"`
}

// PackageLock holds the names of one package.
type PackageLock struct {
	// Types maps a type name to the places of the schema where the type stands, such as "Widget.spec.port".
	Types map[string][]string `json:"types,omitempty"`
	// Members maps a type name to those of its fields or constants whose names met others.
	Members map[string]map[string]string `json:"members,omitempty"`
}

// ParseLock reads a lock file. Empty data gives an empty lock.
func ParseLock(data []byte) (*Lock, error) {
	l := &Lock{}
	if len(data) > 0 {
		if err := json.Unmarshal(data, l); err != nil {
			return nil, fmt.Errorf("reading %s: %w; restore it from version control, or delete it to choose names anew", LockFile, err)
		}
	}
	if l.Packages == nil {
		l.Packages = map[string]*PackageLock{}
	}
	return l, nil
}

// Bytes returns the lock file's content, the same for the same names.
func (l *Lock) Bytes() []byte {
	l.Comment = lockComment
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(l); err != nil {
		panic(err) // maps of strings always encode
	}
	return b.Bytes()
}

// ByPath returns the pinned type names by place.
func (p *PackageLock) ByPath() map[string]string {
	out := map[string]string{}
	if p == nil {
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(p.Types)) {
		for _, path := range p.Types[name] {
			if out[path] == "" {
				out[path] = name
			}
		}
	}
	return out
}

// MembersOf returns the pinned members of a type.
func (p *PackageLock) MembersOf(typeName string) map[string]string {
	if p == nil {
		return nil
	}
	return p.Members[typeName]
}
