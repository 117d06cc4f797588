package pod

type toolkit struct{}
