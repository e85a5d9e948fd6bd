package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// wordFlags are the words by which people opt out of an account's messages, and in again.
type wordFlags struct{ optOut, optIn string }

// The flags of the words.
const (
	optOutFlag = "opt-out-words"
	optInFlag  = "opt-in-words"
)

func (f *wordFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.optOut, optOutFlag, "", "what a person writes to get no more messages, separated by commas; off, or default")
	cmd.Flags().StringVar(&f.optIn, optInFlag, "", "what a person writes to get messages again, separated by commas; off, or default")
}

// set chooses what was given and returns what holds.
func (f *wordFlags) set(ctx context.Context, cmd *cobra.Command, d desk, accountID string) (store.ConsentWords, error) {
	return d.SetConsentWords(ctx, accountID, wordList(cmd, optOutFlag, f.optOut), wordList(cmd, optInFlag, f.optIn))
}

// wordList reads the words of a flag, nil where it was not given.
func wordList(cmd *cobra.Command, flag, value string) []string {
	switch {
	case !cmd.Flags().Changed(flag):
		return nil
	case value == "off":
		return []string{}
	case value == "default":
		return cloud.UsualWords
	}
	return strings.Split(value, ",")
}

func printWords(w io.Writer, words store.ConsentWords) {
	fmt.Fprintf(w, "opt-out words: %s\nopt-in words: %s\n", cmp.Or(strings.Join(words.OptOut, ", "), "off"), cmp.Or(strings.Join(words.OptIn, ", "), "off"))
}
