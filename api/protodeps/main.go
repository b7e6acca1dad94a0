// Command protodeps writes the .proto files that our contract imports (google/api, google/rpc, buf/validate) into a folder,
// out of the descriptors linked into the Go modules of go.mod. So their versions are pinned in one place, and
// generating code needs nothing but Go.
package main

import (
	"fmt"
	"os"

	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/genproto/googleapis/api/httpbody"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	_ "google.golang.org/genproto/googleapis/rpc/status"
)

var imports = []string{
	"google/api/http.proto", "google/api/annotations.proto", "google/api/httpbody.proto",
	"google/rpc/status.proto", "google/rpc/error_details.proto",
	"buf/validate/validate.proto",
}

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: protodeps FOLDER"))
	}
	var files []protoreflect.FileDescriptor
	for _, name := range imports {
		file, err := protoregistry.GlobalFiles.FindFileByPath(name)
		if err != nil {
			fail(fmt.Errorf("load %s: %w", name, err))
		}
		files = append(files, file)
	}
	if err := (&protoprint.Printer{}).PrintProtosToFileSystem(files, os.Args[1]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "protodeps:", err)
	os.Exit(1)
}
