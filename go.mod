module github.com/kubesdk/kubesdk

go 1.26.0

require (
	github.com/gorilla/websocket v1.5.4-0.20250319132907-e064f32e3674
	golang.org/x/net v0.57.0 // indirect
	k8s.io/api v0.37.1 // indirect
	k8s.io/apimachinery v0.37.1 // indirect
	k8s.io/client-go v0.37.1 // indirect
	k8s.io/streaming v0.37.1
	sigs.k8s.io/json v0.0.0-20250730193827-2d320260d730 // indirect
)
