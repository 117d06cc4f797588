// Package write puts a set of generated files into an output folder: all of them or none. It replaces and
// removes only files that a generator wrote before, and refuses a folder that holds anything else.
//
//	changes, err := write.Plan("apis", files, keep)
//	err = changes.Apply(ctx)
package write
