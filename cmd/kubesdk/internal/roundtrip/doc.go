// Package roundtrip is what the generator's promises are measured with. It draws random documents from a
// schema, and it holds the written list of differences that are allowed: between a document and what a
// generated type makes of it ([Document]), and between a schema and what controller-gen reads back from the
// generated package ([Schema]). Whatever is not named here counts as lost.
//
//	doc := roundtrip.Draw(rng, kind)
//	same := reflect.DeepEqual(roundtrip.Document(kind, doc), roundtrip.Document(kind, reencoded))
package roundtrip
