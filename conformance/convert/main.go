// Command convert turns recordings of a kernel (one JSON file for each scenario and family) into the traces of package conformance.
//
//	go run ./conformance/convert [-o conformance/testdata/kernel] DIR|FILE...
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vasic-project/vasic/conformance"
)

func main() {
	out := flag.String("o", filepath.Join("conformance", "testdata", "kernel"), "directory to write to")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: convert [-o DIR] DIR|FILE...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	for _, arg := range flag.Args() {
		if err := convertAll(arg, *out); err != nil {
			fmt.Fprintln(os.Stderr, "convert:", err)
			os.Exit(1)
		}
	}
}

// convertAll converts a file, or the .json files of a directory.
func convertAll(path, out string) error {
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.json")); err != nil {
			return err
		}
	}
	for _, file := range files {
		if err := convert(file, out); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func convert(file, out string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	t, err := conformance.ReadRaw(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	text, err := conformance.Format(t)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, t.Name()+".txt"), text, 0o644)
}
