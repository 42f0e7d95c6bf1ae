// Command kubernetes prints the objects of a kustomization on Stdout, as kubectl apply -k would send
// them:
//
//	go run -C tools ./kubernetes ../deploy/kubernetes/example
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 || args[0] == "--help" || args[0] == "-h" {
		return fmt.Errorf("usage: kubernetes FOLDER, one with a kustomization.yaml")
	}
	objects, err := render(args[0])
	if err != nil {
		return err
	}
	text, err := objects.AsYaml()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

// render returns the objects of the kustomization in a folder.
func render(folder string) (resmap.ResMap, error) {
	return krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
}
