package eventdocs

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

const api = "../../api"

// Every event of the protos has a page; the check "generated" sees to it that the page is today's.
func TestEveryEventHasAPage(t *testing.T) {
	protos, err := filepath.Glob(api + "/*/v1/events.proto")
	if err != nil || len(protos) == 0 {
		t.Fatalf("%v, %v", protos, err)
	}
	for _, name := range protos {
		name, err := filepath.Rel(api, name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := protoregistry.GlobalFiles.FindFileByPath(filepath.ToSlash(name))
		if err != nil {
			t.Errorf("%s: catalogue.go doesn't import its messages: %v", name, err)
			continue
		}
		if len(Events(file)) == 0 {
			t.Errorf("%s has no event", name)
		}
		for _, e := range Events(file) {
			page, err := os.ReadFile("../../docs/events/" + string(e.FullName()) + ".md")
			if err != nil || !strings.Contains(string(page), "# "+string(e.Name())+"\n") {
				t.Errorf("%s has no page; make generate, with an entry in api/events.yaml and an example: %v", e.FullName(), err)
			}
		}
	}
}

// image is what buf build gives, without comments.
func image(t *testing.T) []byte {
	t.Helper()
	var set descriptorpb.FileDescriptorSet
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
		return true
	})
	text, err := proto.Marshal(&set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestPages(t *testing.T) {
	c, err := Load(api)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := c.Pages(image(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) != len(c.Types)+2 {
		t.Errorf("%d pages of %d types, an index and the types within", len(pages), len(c.Types))
	}
	page := string(pages["larder.stock.v1.StockAdjusted.md"])
	for _, want := range []string{
		"| topic | `stock-adjustments` |", "| `adjustments` | list of [Adjustment](types.md#larderstockv1adjustment) | (min_items `1`, max_items `100`) |",
		"ce-id: delivery-4711\n", `"quantity": "-2"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}

	told := maps.Clone(c.Types)
	delete(c.Types, "larder.order.v1.OrderPacked")
	if _, err := c.Pages(image(t)); err == nil || !strings.Contains(err.Error(), "lacks larder.order.v1.OrderPacked") {
		t.Errorf("without an event of the protos: %v", err)
	}
	c.Types = told
	c.Types["larder.order.v1.StockTaken"] = told["larder.order.v1.OrderPacked"]
	if _, err := c.Pages(image(t)); err == nil || !strings.Contains(err.Error(), "StockTaken, which is no event") {
		t.Errorf("with what is no event: %v", err)
	}
}

// An example that isn't what its producer would publish, or an entry that says too little, is refused.
func TestFaultyCatalogue(t *testing.T) {
	for _, c := range []struct{ file, from, to, want string }{
		{"larder.user.v1.UserDeleted.json", `"user_id": "7a1c`, `"user_id": "x`, "user_id: must be a valid UUID"},
		{"larder.user.v1.UserDeleted.json", `"user_id":`, `"person":`, "person"},
		{"larder.user.v1.UserDeleted.json", `"user_id":`, `"userId":`, "isn't as it is published"},
		{"larder.user.v1.UserDeleted.json", `"ce-subject": "users/`, `"ce-subject": "people/`, `isn't of the form "users/<user_id>"`},
		{"larder.user.v1.UserDeleted.json", `"ce-type": "larder.user.v1.UserDeleted"`, `"ce-type": "larder.user.v1.PasswordReset"`, "the example is a"},
		{"larder.user.v1.UserDeleted.json", `"1.0"`, `"0.3"`, "ce-specversion"},
		{"larder.stock.v1.StockAdjusted.json", `"quantity": "24"`, `"quantity": 24`, "isn't as it is published"},
		{"../events.yaml", "  user-events: what", "  user-event: what", "what the topic user-events is for"},
		{"../events.yaml", "topic: user-events", "topic: people", `there is no topic "people"`},
		{"../events.yaml", "    order: none; each stands for itself\n", "", "have to be said"},
		{"../events.yaml", "    order: none; each stands", "    ordering: none; each stands", "ordering not found"},
		{"../events.yaml", "larder.user.v1.UserDeleted:", "larder.user.v1.UserGone:", "read the example"},
	} {
		folder := t.TempDir()
		if err := os.CopyFS(filepath.Join(folder, "events"), os.DirFS(filepath.Join(api, "events"))); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(api, "events.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "events.yaml"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(folder, "events", c.file)
		if text, err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
		spoilt := strings.Replace(string(text), c.from, c.to, 1)
		if spoilt == string(text) {
			t.Fatalf("%s has no %q", c.file, c.from)
		}
		if err := os.WriteFile(name, []byte(spoilt), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(folder); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %q: %v, want %q", c.file, c.to, err, c.want)
		}
	}
}
