package product

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/fault"
)

// changeable are the fields that UpdateProduct can change.
var changeable = []string{
	"name", "brand_id", "category_id", "description", "size", "gtin", "tags", "image_uri", "status", "price", "tax_rate_bps",
	"cost", "store_ids", "max_per_shopper",
}

// ignored are fields that a mask may name without effect: on REST the mask is made of the body's fields, and a client that
// sends back what it has read sends these too (AIP-203, output only).
var ignored = []string{"product_id", "etag", "brand", "create_time", "update_time"}

// changedPaths returns the fields to change: those of the mask, for "*" all, without a mask those that are set (AIP-134).
// Errors: INVALID_ARGUMENT.
func changedPaths(given *productpb.Product, mask *fieldmaskpb.FieldMask) ([]string, error) {
	if slices.Equal(mask.GetPaths(), []string{"*"}) {
		// A cost is never read, so nobody can send back all fields.
		return slices.DeleteFunc(slices.Clone(changeable), func(f string) bool { return f == "cost" && given.GetCost() == nil }), nil
	}
	var paths []string
	if len(mask.GetPaths()) == 0 {
		given.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			if slices.Contains(changeable, string(f.Name())) {
				paths = append(paths, string(f.Name()))
			}
			return true
		})
		return paths, nil
	}
	for _, path := range mask.GetPaths() {
		top, _, _ := strings.Cut(path, ".")
		switch {
		case slices.Contains(ignored, top):
		case slices.Contains(changeable, top) && validPath(path):
			paths = append(paths, path)
		default:
			return nil, fault.Invalid("update_mask", "a product has no field %q that can be changed", path)
		}
	}
	return paths, nil
}

func validPath(path string) bool {
	_, err := fieldmaskpb.New(&productpb.Product{}, path)
	return err == nil
}

// layOver copies the fields at these paths. A nested path ("price.minor_units") leaves its neighbours as they are.
func layOver(onto, from *productpb.Product, paths []string) error {
	for _, path := range paths {
		if path == "cost" && from.GetCost() == nil {
			return fault.Invalid("product.cost", "must be given: a cost can be changed, not removed")
		}
		to, source := onto.ProtoReflect(), from.ProtoReflect()
		names := strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			field := to.Descriptor().Fields().ByName(protoreflect.Name(name))
			to, source = to.Mutable(field).Message(), source.Get(field).Message()
		}
		field := to.Descriptor().Fields().ByName(protoreflect.Name(names[len(names)-1]))
		if source.Has(field) {
			to.Set(field, source.Get(field))
		} else {
			to.Clear(field)
		}
	}
	return nil
}
