module github.com/kubesdk/kubesdk/cluster

go 1.26.0
