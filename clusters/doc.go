// Package clusters asks several clusters the same thing at the same time, and keeps apart what each of them said, so that
// one which is down does not hide what the others answered.
//
//	set, err := clusters.Login(ctx, []string{"production", "staging"})
//	defer set.Close()
//	counts, err := clusters.Gather(ctx, set, func(ctx context.Context, name string, c *kubesdk.Client) (int, error) {
//		namespaces, err := kubesdk.For[*corev1.Namespace](c).List(ctx)
//		if err != nil {
//			return 0, err
//		}
//		return len(namespaces.Items), nil
//	})
//	for _, res := range counts {
//		fmt.Println(res.Cluster, res.Value, res.Err)
//	}
package clusters
