package product

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/fault"
)

// ListChanges implements ProductServiceServer.
func (s *Server) ListChanges(ctx context.Context, req *productpb.ListChangesRequest) (*productpb.ListChangesResponse, error) {
	var of Subject
	for _, given := range []struct {
		field string
		Subject
	}{
		{"product_id", Subject{"products", req.GetProductId()}}, {"brand_id", Subject{"brands", req.GetBrandId()}},
		{"category_id", Subject{"categories", req.GetCategoryId()}}, {"store_id", Subject{"stores", req.GetStoreId()}},
	} {
		switch {
		case given.ID == "":
		case of != Subject{}:
			return nil, fault.Invalid(given.field, "must not be given with another id")
		default:
			of = given.Subject
		}
	}
	changes, next, err := s.service.Changes(ctx, of, int(req.GetPageSize()), req.GetPageToken())
	if err != nil {
		return nil, err
	}
	list := &productpb.ListChangesResponse{NextPageToken: next}
	for _, c := range changes {
		told, err := c.proto()
		if err != nil {
			return nil, err
		}
		list.Changes = append(list.Changes, told)
	}
	return list, nil
}

var operations = map[string]productpb.Change_Operation{
	"insert": productpb.Change_INSERT, "update": productpb.Change_UPDATE, "delete": productpb.Change_DELETE,
}

func (c Change) proto() (*productpb.Change, error) {
	told := &productpb.Change{
		ChangeId: c.ID, ChangeTime: timestamppb.New(c.Time), ChangedBy: c.By, Table: c.Table, Operation: operations[c.Operation],
	}
	var err error
	if told.Key, err = structpb.NewStruct(c.Key); err != nil {
		return nil, fmt.Errorf("tell the key of change %d: %w", c.ID, err)
	}
	names := maps.Clone(c.Before)
	if names == nil {
		names = map[string]any{}
	}
	maps.Copy(names, c.After)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if c.Before[name] == nil && c.After[name] == nil {
			continue
		}
		field := &productpb.FieldChange{Name: name}
		if field.Before, err = structpb.NewValue(c.Before[name]); err == nil {
			field.After, err = structpb.NewValue(c.After[name])
		}
		if err != nil {
			return nil, fmt.Errorf("tell %s of change %d: %w", name, c.ID, err)
		}
		told.Fields = append(told.Fields, field)
	}
	return told, nil
}
