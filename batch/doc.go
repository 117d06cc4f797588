// Package batch does one thing to many objects at once, as fast as the server wants it and no faster, and tells for every
// single object what became of it: also when something failed in the middle, or the caller gave up.
//
//	results, err := batch.Create(ctx, configMaps, objects)
//	if err != nil { // "3 of 1000 failed: create configmaps default/a: ..."
//		for _, res := range results {
//			if res.State != batch.Done {
//				log.Println(res.Item.Name, res.State, res.Err)
//			}
//		}
//	}
//
// [Create], [Get], [Update] and [Delete] are the verbs of [kubesdk.Resource] on a slice; [Do] is any function on a slice,
// and [Stream] any function on a sequence of any length, in constant memory. The options of the verbs are those of the
// handle: batch.Create(ctx, configMaps.With(kubesdk.FieldManager("seeder")), objects).
//
// # How many at once
//
// [InFlight] objects at most are worked on at the same time. Below that the package adapts: when the server answers 429
// (or 503 with Retry-After), half as many requests are sent at a time and none before the time that the answer names;
// from there the number grows by one for each round of answers that are not refusals. Refused requests are sent again by
// the call that they are part of, as its [kubesdk.RetryPolicy] says. This holds for every request that is made with the
// context given to the operation, through any client.
package batch
