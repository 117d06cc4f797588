// Package emit prints a plan as Go source: the files of one package, formatted, with documentation, kubebuilder
// markers, registration and deep copies. It is pure: the same plan gives the same bytes.
//
//	files, err := emit.Package(pkg, "example.com/apis/widgets.example.com/v1")
package emit
