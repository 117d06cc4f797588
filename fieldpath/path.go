package fieldpath

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Path leads from an object of type T to a field of type F. The compiler holds both: a path into another type, or a value of
// another type for it, does not compile.
//
// A Path is a small immutable value, made by [Of], [Key], [Index], [Where], [End], [Join], [Parse] or [ParsePointer]; it may be
// copied and used by any number of goroutines, and kept in a package variable. A path that could not be made carries the reason:
// [Path.Err] returns it, and so does everything that uses the path. The zero Path is such a path.
type Path[T, F any] struct{ r *route }

// route is what a path consists of; it never changes once made.
type route struct {
	steps []Step
	err   error
}

// Any is a path whose types are known only at run time: what takes paths into several fields takes this. Every [Path] is one,
// and nothing else is.
type Any interface {
	// Root is the type of the object that the path starts from.
	Root() reflect.Type
	// Type is the type of the field that the path leads to.
	Type() reflect.Type
	// Steps is the way, from the object to the field; none for the object itself. The slice is the caller's.
	Steps() []Step
	// Err says why the path cannot be used, or is nil.
	Err() error
	// String is the path as Kubernetes spells it.
	String() string
	// Pointer is the path as a JSON Pointer.
	Pointer() (string, error)
	// Convert is value as the field takes it.
	Convert(value any) (any, error)

	way() *route
}

// In is a path into an object of type T, whatever the field's type.
type In[T any] interface {
	Any
	in(*T)
}

// StepKind says how a [Step] goes on.
type StepKind uint8

// The kinds of a Step.
const (
	FieldStep StepKind = iota // to the member Name of an object
	KeyStep                   // to the entry Name of a map
	IndexStep                 // to the element Index of a list
	WhereStep                 // to the element of a list whose member Name is Value
	EndStep                   // to the place after a list's last element
)

// Step is one step of a path.
type Step struct {
	Kind  StepKind
	Name  string // JSON name of a member, a map's key, or the member that tells elements apart
	Index int
	Value any // of a WhereStep: a string, int64 or bool
}

// ErrAbsent is returned for a path that ends before its field: a parent is nil, a list too short, a key or element missing.
var ErrAbsent = errors.New("absent")

var errZeroPath = errors.New("fieldpath: the zero Path leads nowhere: make one with Of, Key, Index, Where, Join or Parse")

// Err says why the path cannot be used: nil for a usable path.
func (p Path[T, F]) Err() error { return p.way().err }

// Root is the type T.
func (p Path[T, F]) Root() reflect.Type { return reflect.TypeFor[T]() }

// Type is the type F.
func (p Path[T, F]) Type() reflect.Type { return reflect.TypeFor[F]() }

// Steps is the way from the object to the field. The slice is the caller's.
func (p Path[T, F]) Steps() []Step { return slices.Clone(p.way().steps) }

// Convert is value as an F, for those who know the types only at run time. It converts where nothing is lost: a value for a pointer
// to it, between named and plain types of one kind, and between numbers that hold the same. Everything else is an error.
func (p Path[T, F]) Convert(value any) (any, error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
	var converted F
	dst := reflect.ValueOf(&converted).Elem()
	if p.Type() == reflect.TypeFor[any]() {
		return value, nil
	}
	if value == nil {
		switch dst.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
			return converted, nil
		}
		return nil, fmt.Errorf("fieldpath: %s is a %s, which cannot be nil", p, p.Type())
	}
	if err := assign(dst, reflect.ValueOf(value)); err != nil {
		return nil, fmt.Errorf("fieldpath: %s is a %s: %w", p, p.Type(), err)
	}
	return converted, nil
}

func (p Path[T, F]) in(*T) {}

func (p Path[T, F]) way() *route {
	if p.r == nil {
		return &route{err: errZeroPath}
	}
	return p.r
}

// String is the path as Kubernetes spells it: .spec.containers[0].image, .metadata.labels['app.kubernetes.io/name'],
// .spec.containers[name="nginx"], and "." for the object itself. [Parse] reads it.
func (p Path[T, F]) String() string {
	if err := p.Err(); err != nil {
		return "!(" + err.Error() + ")"
	}
	return spell(p.r.steps)
}

// Pointer is the path as a JSON Pointer (RFC 6901): /spec/containers/0/image, and "" for the object itself. A [Where] step is
// an error, since only an object tells the element's index: [Resolve] finds it. [ParsePointer] reads a pointer.
func (p Path[T, F]) Pointer() (string, error) {
	if err := p.Err(); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, s := range p.r.steps {
		b.WriteByte('/')
		switch s.Kind {
		case IndexStep:
			b.WriteString(strconv.Itoa(s.Index))
		case EndStep:
			b.WriteByte('-')
		case WhereStep:
			return "", fmt.Errorf("fieldpath: %s has no JSON Pointer: only an object tells the index of %s; use Resolve", p, s)
		default:
			b.WriteString(escaper.Replace(s.Name))
		}
	}
	return b.String(), nil
}

var (
	escaper   = strings.NewReplacer("~", "~0", "/", "~1")
	unescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

// String is the step as Kubernetes spells it.
func (s Step) String() string {
	switch s.Kind {
	case IndexStep:
		return "[" + strconv.Itoa(s.Index) + "]"
	case EndStep:
		return "[-]"
	case WhereStep:
		if text, ok := s.Value.(string); ok {
			return "[" + s.Name + "=" + strconv.Quote(text) + "]"
		}
		return fmt.Sprintf("[%s=%v]", s.Name, s.Value)
	}
	if plainName(s.Name) {
		return "." + s.Name
	}
	return "['" + quoter.Replace(s.Name) + "']"
}

var quoter = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

func spell(steps []Step) string {
	if len(steps) == 0 {
		return "."
	}
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(s.String())
	}
	return b.String()
}

// plainName says whether a name can stand after a dot without quotes.
func plainName(name string) bool {
	return name != "" && !strings.ContainsAny(name, `.[]'"\=`)
}
