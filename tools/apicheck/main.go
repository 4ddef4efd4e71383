// Command apicheck answers what a kube-apiserver would say about an XRD of ours and about claims made against it.
//
//	apicheck XRD.yaml [CASES.yaml]
//
// CASES.yaml is a stream of YAML documents {name, old, new}: a creation of new, or an update of old to new. Each is
// answered on stdout, in order, by one line of JSON: {"name": ..., "accepted": ..., "errors": [...]}.
//
// The exit status is 0 when every case was judged, whatever the answers; 1 when Crossplane or the API server would
// refuse the XRD or the CRD derived from it, with one complaint a line on stdout; 2 when the program was misused, with
// one line on stderr. What is legal but surely not meant is a "warning: " line on stderr.
//
// Nothing here knows a rule of validation: the CRD comes from Crossplane's own code, and both it and the claims go
// through the strategies that the API server registers for them. What this program adds is only the plumbing around
// those strategies that the API server keeps private, in the order its customresource_handler.go has it.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/crossplane/crossplane-runtime/v2/pkg/xcrd"
	xpv1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1"
	xpv2 "github.com/crossplane/crossplane/apis/v2/apiextensions/v2"
	corev2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/crdserverscheme"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gvk "k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	yamlstream "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/utils/ptr"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		misused(errors.New("usage: apicheck XRD.yaml [CASES.yaml]"))
	}
	xrds, err := documents(os.Args[1])
	if err == nil && len(xrds) != 1 {
		err = fmt.Errorf("%s: want one document, found %d", os.Args[1], len(xrds))
	}
	if err != nil {
		misused(err)
	}
	var cases []testCase
	if len(os.Args) == 3 {
		if cases, err = readCases(os.Args[2]); err != nil {
			misused(err)
		}
	}
	versions, complaints := serve(xrds[0])
	if len(complaints) > 0 {
		for _, c := range complaints {
			fmt.Println(strings.Join(strings.Fields(c), " ")) // CEL's complaints draw on several lines
		}
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, c := range cases {
		errs := judge(versions, c)
		if err := out.Encode(answer{Name: c.Name, Accepted: len(errs) == 0, Errors: errs}); err != nil {
			misused(err)
		}
	}
}

type testCase struct {
	Name string         `json:"name"`
	Old  map[string]any `json:"old"`
	New  map[string]any `json:"new"`
}

type answer struct {
	Name     string   `json:"name"`
	Accepted bool     `json:"accepted"`
	Errors   []string `json:"errors"`
}

func misused(err error) {
	fmt.Fprintln(os.Stderr, "apicheck:", strings.Join(strings.Fields(err.Error()), " "))
	os.Exit(2)
}

// documents reads a stream of YAML as JSON. A key written twice is an error, as it is to kubectl.
func documents(path string) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var docs [][]byte
	for r := yamlstream.NewYAMLReader(bufio.NewReader(bytes.NewReader(data))); ; {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err == nil {
			doc, err = yaml.YAMLToJSONStrict(doc)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if string(doc) != "null" { // a document of comments only
			docs = append(docs, doc)
		}
	}
}

// readCases is strict, so that a misspelt "old" does not quietly make a creation of an update.
func readCases(path string) ([]testCase, error) {
	docs, err := documents(path)
	cases := make([]testCase, len(docs))
	for i, doc := range docs {
		strict, err := kjson.UnmarshalStrict(doc, &cases[i])
		if err := errors.Join(append(strict, err)...); err != nil {
			return nil, fmt.Errorf("%s: document %d: %w", path, i+1, err)
		}
		if cases[i].Name == "" || cases[i].New == nil {
			return nil, fmt.Errorf("%s: document %d: a case needs a name and new", path, i+1)
		}
	}
	return cases, err
}

// version is one served version of the claim's API.
type version struct {
	schema   *schema.Structural
	strategy rest.RESTCreateUpdateStrategy
}

// serve goes from an XRD to the API that the cluster would serve for it, or to the complaints that would prevent it.
func serve(doc []byte) (map[gvk.GroupVersionKind]version, []string) {
	xrd := &xpv1.CompositeResourceDefinition{}
	strict, err := kjson.UnmarshalStrict(doc, xrd)
	if err == nil && xrd.GroupVersionKind() != xpv2.SchemeGroupVersion.WithKind(xpv1.CompositeResourceDefinitionKind) {
		strict, err = nil, fmt.Errorf("not a v2 CompositeResourceDefinition: %s", xrd.GroupVersionKind())
	}
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, strings.Split(err.Error(), "\n")
	}
	// Crossplane reads every XRD as v1 from the API server, which has by then given it an identity and the defaults of
	// the version it was written in. Without them Crossplane's code would derive a cluster scoped API of the old kind.
	xrd.SetUID("from-the-api-server")
	xrd.Spec.Scope = cmp.Or(xrd.Spec.Scope, ptr.To(xpv1.CompositeResourceScopeNamespaced))
	xrd.Spec.DefaultCompositionUpdatePolicy = cmp.Or(xrd.Spec.DefaultCompositionUpdatePolicy, ptr.To(corev2.UpdateAutomatic))
	external, err := xcrd.ForCompositeResource(xrd)
	if err != nil {
		return nil, []string{err.Error()}
	}
	for i, v := range xrd.Spec.Versions {
		warnOfLoss(v.Name, plain(v.Schema.OpenAPIV3Schema), plain(external.Spec.Versions[i].Schema.OpenAPIV3Schema))
	}

	scheme := runtime.NewScheme()
	install.Install(scheme)
	crd := &apiextensions.CustomResourceDefinition{}
	scheme.Default(external)
	if err := scheme.Convert(external, crd, nil); err != nil {
		return nil, []string{err.Error()}
	}
	rest.FillObjectMetaSystemFields(crd)
	ctx := warning.WithWarningRecorder(request.WithNamespace(context.Background(), ""), warnings{})
	if err := rest.BeforeCreate(customresourcedefinition.NewStrategy(scheme), ctx, crd); err != nil {
		return nil, complaints(err)
	}

	versions := map[gvk.GroupVersionKind]version{}
	for _, v := range crd.Spec.Versions {
		if !v.Served {
			continue
		}
		kind := gvk.GroupVersionKind{Group: crd.Spec.Group, Version: v.Name, Kind: crd.Spec.Names.Kind}
		versions[kind] = newVersion(crd, kind)
	}
	return versions, nil
}

// newVersion is the part of the API server's getOrCreateServingInfoFor that validation needs.
func newVersion(crd *apiextensions.CustomResourceDefinition, kind gvk.GroupVersionKind) version {
	props := must(apiextensions.GetSchemaForVersion(crd, kind.Version)).OpenAPIV3Schema
	sub := must(apiextensions.GetSubresourcesForVersion(crd, kind.Version))
	structural := must(schema.NewStructural(props)).DeepCopy() // so that its defaults are no longer the CRD's
	utilruntime.Must(defaulting.PruneDefaults(structural))
	validator, _, err := validation.NewSchemaValidator(props)
	utilruntime.Must(err)
	return version{structural, customresource.NewStrategy(crdserverscheme.NewUnstructuredObjectTyper(),
		crd.Spec.Scope == apiextensions.NamespaceScoped, kind, validator, nil, structural, sub.Status, sub.Scale, nil)}
}

// must is for what cannot fail once the API server has accepted the CRD.
func must[T any](v T, err error) T {
	utilruntime.Must(err)
	return v
}

// judge lists what the API server holds against a case.
func judge(versions map[gvk.GroupVersionKind]version, c testCase) []string {
	obj, old := &unstructured.Unstructured{Object: c.New}, &unstructured.Unstructured{Object: c.Old}
	v, ok := versions[obj.GroupVersionKind()]
	if !ok {
		return []string{fmt.Sprintf("no matches for kind %q in version %q", obj.GetKind(), obj.GetAPIVersion())}
	}
	if unknown, err := v.decode(obj); err != nil || len(unknown) > 0 {
		return append(unknown, complaints(err)...) // the API server does not look further either
	}
	ctx := request.WithNamespace(context.Background(), obj.GetNamespace())
	if c.Old == nil {
		rest.FillObjectMetaSystemFields(obj)
		return complaints(rest.BeforeCreate(v.strategy, ctx, obj))
	}
	if _, err := v.decode(old); err != nil { // what is stored is pruned without complaint
		return complaints(fmt.Errorf("old: %w", err))
	}
	// A client says which revision it has seen: say that it is the stored one, for a case should not have to.
	obj.SetResourceVersion(cmp.Or(obj.GetResourceVersion(), old.GetResourceVersion(), "1"))
	return complaints(rest.BeforeUpdate(v.strategy, ctx, obj, old))
}

// decode prunes and defaults an object as the API server does with a request in strict field validation, which is what
// kubectl asks for, and with what it has stored. It returns the fields that the schema does not know.
func (v version) decode(u *unstructured.Unstructured) ([]string, error) {
	if v.strategy.NamespaceScoped() && u.GetNamespace() == "" {
		u.SetNamespace("default") // as kubectl would
	}
	meta, _, unknown, err := objectmeta.GetObjectMetaWithOptions(u.Object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return nil, err
	}
	unknown = append(unknown, pruning.PruneWithOptions(u.Object, v.schema, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})...)
	defaulting.PruneNonNullableNullsWithoutDefaults(u.Object, v.schema)
	malformed, embedded := objectmeta.CoerceWithOptions(nil, u.Object, v.schema, false, objectmeta.CoerceOptions{ReturnUnknownFieldPaths: true})
	if malformed != nil {
		return nil, malformed
	}
	unknown = append(unknown, embedded...)
	for i, path := range unknown {
		unknown[i] = fmt.Sprintf("strict decoding error: unknown field %q", path)
	}
	if err := objectmeta.SetObjectMeta(u.Object, meta); err != nil {
		return nil, err
	}
	defaulting.Default(u.Object, v.schema)
	return unknown, nil
}

// complaints takes a refusal apart into its causes, in an order that does not depend on that of a map.
func complaints(err error) []string {
	list := []string{}
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			list = append(list, strings.TrimPrefix(cause.Field+": "+cause.Message, ": "))
		}
	}
	if err != nil && len(list) == 0 {
		list = append(list, err.Error())
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// warnOfLoss tells of what an XRD's schema says and its CRD's does not. Crossplane takes a schema apart and copies the
// parts that it knows (of the root, metadata, spec and status only some keywords), and reads over a misspelt keyword;
// both without a word, so a constraint can be written and reviewed and never be in force.
func warnOfLoss(path string, written, served any) {
	switch w := written.(type) {
	case map[string]any:
		s, _ := served.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(w)) {
			if kept, ok := s[key]; ok {
				warnOfLoss(path+"."+key, w[key], kept)
			} else if w[key] != false { // false is left out of the JSON of most keywords
				warnings{}.AddWarning("", path+"."+key+" is not in the CRD that Crossplane derives")
			}
		}
	case []any:
		s, _ := served.([]any)
		for i := range min(len(w), len(s)) {
			warnOfLoss(fmt.Sprintf("%s[%d]", path, i), w[i], s[i])
		}
	}
}

// plain is v as JSON has it, the only form that an XRD's schema and a CRD's share.
func plain(v any) (decoded any) {
	utilruntime.Must(json.Unmarshal(must(json.Marshal(v)), &decoded))
	return decoded
}

// warnings puts the API server's warnings, and ours, where they do not mix with the answers.
type warnings struct{}

func (warnings) AddWarning(_, text string) { fmt.Fprintln(os.Stderr, "warning: "+text) }
