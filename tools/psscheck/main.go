// Command psscheck asks Kubernetes' own library whether pods keep a Pod Security Standard.
//
// Usage: psscheck LEVEL < PODS, where PODS are YAML documents with the metadata and spec of a pod template.
// For each it prints a line of JSON: {"allowed": true|false, "reasons": [...]}.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

type verdict struct {
	Allowed bool     `json:"allowed"`
	Reasons []string `json:"reasons"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "psscheck:", err)
		os.Exit(1)
	}
}

func run(arguments []string, in io.Reader, out io.Writer) error {
	if len(arguments) != 1 {
		return errors.New("usage: psscheck LEVEL < PODS")
	}
	level, err := api.ParseLevel(arguments[0])
	if err != nil {
		return err
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(in))
	encoder := json.NewEncoder(out)
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var pod corev1.PodTemplateSpec
		if err := yaml.UnmarshalStrict(document, &pod); err != nil {
			return err
		}
		answer := verdict{Allowed: true, Reasons: []string{}}
		for _, result := range evaluator.EvaluatePod(api.LevelVersion{Level: level, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec) {
			if !result.Allowed {
				answer.Allowed = false
				answer.Reasons = append(answer.Reasons, result.ForbiddenReason+": "+result.ForbiddenDetail)
			}
		}
		if err := encoder.Encode(answer); err != nil {
			return err
		}
	}
}
