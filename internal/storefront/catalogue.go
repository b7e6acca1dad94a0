package storefront

import (
	"context"
	"strings"

	productpb "larder.dev/api/product/v1"
)

func (s *Storefront) listStores(ctx context.Context) ([]*productpb.Store, error) {
	answer, err := s.API.ListStores(ctx, &productpb.ListStoresRequest{})
	return answer.GetStores(), err
}

// aisle is a category as pages show it.
type aisle struct{ ID, Name, Parent string }

// aisles are the tree of categories.
type aisles struct {
	byID     map[string]aisle
	byParent map[string][]aisle // in display order
}

func (s *Storefront) listAisles(ctx context.Context) (*aisles, error) {
	answer, err := s.API.ListCategories(ctx, &productpb.ListCategoriesRequest{})
	if err != nil {
		return nil, err
	}
	all := &aisles{byID: map[string]aisle{}, byParent: map[string][]aisle{}}
	for _, category := range answer.GetCategories() {
		a := aisle{ID: category.GetCategoryId(), Name: category.GetName(), Parent: category.GetParentId()}
		all.byID[a.ID] = a
		all.byParent[a.Parent] = append(all.byParent[a.Parent], a)
	}
	return all, nil
}

func (a *aisles) below(id string) []aisle { return a.byParent[id] }

// path leads from the top to an aisle, itself included; empty: there is no such one.
func (a *aisles) path(id string) []aisle {
	var path []aisle
	for len(path) < 10 { // deeper than any tree
		one, ok := a.byID[id]
		if !ok {
			break
		}
		path = append([]aisle{one}, path...)
		id = one.Parent
	}
	return path
}

// words makes a slug readable: "gluten-free" is "gluten free".
func words(slug string) string { return strings.ReplaceAll(slug, "-", " ") }

// tagName begins a tag with a capital: "Gluten free".
func tagName(slug string) string {
	text := words(slug)
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
