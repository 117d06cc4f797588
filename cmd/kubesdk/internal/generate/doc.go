// Package generate joins the parts of the generator: it takes the kinds that a source has read, plans and
// prints one package for each group-version, and puts them into the output folder together with the lock file
// and a package that registers them all.
//
//	summary, err := generate.Run(ctx, set, generate.Options{Output: "apis", Module: "example.com/apis"}, os.Stderr)
package generate
