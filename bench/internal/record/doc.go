// Package record takes down what a real API server answers to the benchmarks' requests, so that package replay can give
// the same answers without the work of making them:
//
//	r, err := record.From(ctx, config, record.Sizes{Pods: 2000, Applications: 2000, Events: 10_000})
//	err = r.Save("answers.gob")
package record
