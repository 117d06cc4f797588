module github.com/kubesdk/kubesdk

go 1.26.0
