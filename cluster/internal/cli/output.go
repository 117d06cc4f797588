package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// outputFormat is the value of --output: "" for people, "json" or "yaml".
type outputFormat string

// String implements pflag.Value.
func (f *outputFormat) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *outputFormat) Type() string { return "json|yaml" }

// Set implements pflag.Value.
func (f *outputFormat) Set(s string) error {
	if s != "json" && s != "yaml" {
		return fmt.Errorf("output format %q is neither json nor yaml", s)
	}
	*f = outputFormat(s)
	return nil
}

func (f *outputFormat) addTo(cmd *cobra.Command) {
	cmd.Flags().VarP(f, "output", "o", "print the result as json or yaml")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]cobra.Completion{"json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
}

// print writes v in the format, which must not be "".
func (f outputFormat) print(w io.Writer, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if f == "yaml" {
		if data, err = yaml.JSONToYAML(data); err != nil {
			return err
		}
	}
	_, err = w.Write(data)
	return err
}
