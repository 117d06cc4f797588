package plan

import (
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/names"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// Package is the plan of one Go package: one version of one group.
type Package struct {
	Group, Version string
	Kinds          []*Kind
	// Types are the named types below the kinds, ordered by name.
	Types []*Type
	// Values are the support types that the package needs, and Names what they are called: by their own
	// names, unless a kind has them.
	Values map[Value]bool
	Names  map[Value]string
	// Resource is the name of the function Resource, which gives way to a kind too.
	Resource string
	Losses   []Loss
	// Reused are the places where upstream types stand.
	Reused []Reuse
	// Lock is what the lock file must hold for this package.
	Lock *names.PackageLock
}

// Kind is the plan of one kind.
type Kind struct {
	API  *schema.Kind
	Type *Type
	// ListName is the Go name of the list type. RegisterList is false if another kind of the package has the
	// list's kind, so that only one of the two can be registered.
	ListName     string
	RegisterList bool
}

// Form tells what a named type is.
type Form int

// The forms of a named type.
const (
	Struct  Form = iota
	Enum         // a named scalar with constants
	Defined      // a named scalar, list or map
)

// Type is the plan of one named type.
type Type struct {
	Name    string
	Form    Form
	Doc     string
	Markers []string
	// Fields of a struct, in the order of the schema's property names.
	Fields []Field
	// Unknown tells that a struct keeps the fields that its schema does not name, in AdditionalFields.
	Unknown bool
	// Base is the type behind an Enum or Defined. Collection tells that it is a list or a map.
	Base       *Ref
	Collection bool
	// Constants of an Enum.
	Constants []Constant
	// Owner is the one kind that uses the type, or nil if several do.
	Owner *Kind
	// Path is the first place of the schema where the type stands.
	Path string
}

// Field is one field of a struct.
type Field struct {
	// Name is empty for an embedded type.
	Name    string
	Type    *Ref
	Tag     string
	Doc     string
	Markers []string
	// Property is the API name.
	Property string
}

// Constant is one value of an enum: Value is a Go literal.
type Constant struct {
	Name, Value string
}

// RefKind tells how a [Ref] is written.
type RefKind int

// The kinds of type references.
const (
	Builtin  RefKind = iota // Name
	Named                   // Type
	Support                 // Value
	External                // Import and Name
	Pointer                 // *Elem
	Slice                   // []Elem
	Map                     // map[string]Elem
)

// Ref is a use of a type.
type Ref struct {
	Kind  RefKind
	Name  string
	Type  *Type
	Value Value
	// Import is the import path of an External type.
	Import string
	// Shallow tells of an External type that assignment copies it whole.
	Shallow bool
	Elem    *Ref
}

// Value names a support type that is written into a package which needs it.
type Value string

// The support types.
const (
	ValueJSON        Value = "JSON"
	ValueIntOrString Value = "IntOrString"
	ValueQuantity    Value = "Quantity"
	ValueDateTime    Value = "DateTime"
	ValueEmpty       Value = "EmptyObject"
)

// Cause groups losses.
type Cause string

// The causes of losses.
const (
	// Raw is a node that Go cannot type, kept as raw JSON: nothing is lost but the type.
	Raw Cause = "raw"
	// Choice is oneOf, anyOf, allOf or not, for which no marker exists: the server still enforces it.
	Choice Cause = "choice"
	// Marker is another validation keyword that no marker can carry in its place.
	Marker Cause = "marker"
)

// Loss is something that the schema says and the Go package does not.
type Loss struct {
	Cause Cause
	// Kind is the kind's full name, Path the place in its schema.
	Kind, Path string
	What       string
}

// String returns the loss as the tool prints it.
func (l Loss) String() string { return l.Kind + ": " + l.Path + ": " + l.What }
