module github.com/kubesdk/kubesdk/cmd/kubesdk

go 1.26.0

require github.com/kubesdk/kubesdk v0.0.0-00010101000000-000000000000

replace github.com/kubesdk/kubesdk => ../..
