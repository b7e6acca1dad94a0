package product

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"larder.dev/internal/fault"
)

// fields are those of a resource that an update's mask may name.
type fields struct {
	changeable []string
	// ignored have no effect: on REST the mask is made of the body's fields, and a client that sends back what it has read sends these
	// too (AIP-203, output only).
	ignored []string
	// unread are changeable, and never answered: nobody can send them back.
	unread []string
}

var (
	productFields = fields{
		changeable: []string{
			"name", "brand_id", "category_id", "description", "size", "gtin", "tags", "image_uri", "status", "price", "tax_rate_bps",
			"cost", "store_ids", "max_per_shopper", "piece_grams", "family_id",
			"more_image_uris",
		},
		ignored: []string{"product_id", "etag", "brand", "variants", "create_time", "update_time"},
		unread:  []string{"cost"},
	}
	brandFields    = fields{changeable: []string{"name"}, ignored: []string{"brand_id", "etag"}}
	categoryFields = fields{changeable: []string{"name", "parent_id", "position"}, ignored: []string{"category_id", "etag"}}
	storeFields    = fields{
		changeable: []string{
			"name", "currency", "delivery_fee", "free_delivery_from", "postcodes", "address_line1", "city", "postcode",
		},
		ignored: []string{"store_id", "etag"},
	}
)

// changed returns the paths to change: those of the mask, for "*" all, without a mask those that are set (AIP-134). Errors:
// INVALID_ARGUMENT.
func (f fields) changed(given proto.Message, mask *fieldmaskpb.FieldMask) ([]string, error) {
	var set []string
	given.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if slices.Contains(f.changeable, string(field.Name())) {
			set = append(set, string(field.Name()))
		}
		return true
	})
	switch {
	case len(mask.GetPaths()) == 0:
		return set, nil
	case slices.Equal(mask.GetPaths(), []string{"*"}):
		return slices.DeleteFunc(slices.Clone(f.changeable), func(name string) bool {
			return slices.Contains(f.unread, name) && !slices.Contains(set, name)
		}), nil
	}
	var paths []string
	for _, path := range mask.GetPaths() {
		top, _, _ := strings.Cut(path, ".")
		switch {
		case slices.Contains(f.ignored, top):
		case slices.Contains(f.changeable, top) && validPath(given, path):
			paths = append(paths, path)
		default:
			kind := strings.ToLower(string(given.ProtoReflect().Descriptor().Name()))
			return nil, fault.Invalid("update_mask", "a %s has no field %q that can be changed", kind, path)
		}
	}
	return paths, nil
}

func validPath(of proto.Message, path string) bool {
	_, err := fieldmaskpb.New(of, path)
	return err == nil
}

// layOver copies the fields at these paths. A nested path ("price.minor_units") leaves its neighbours as they are.
func layOver(onto, from proto.Message, paths []string) {
	for _, path := range paths {
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
}
