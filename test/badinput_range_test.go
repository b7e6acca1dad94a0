package test

import "strings"

// A brand, a category and a store that nobody has: their good requests would go through.
const (
	spoiltBrand    = `{"brand_id":"spoilt-brand","name":"Spoilt"}`
	spoiltCategory = `{"category_id":"spoilt-category","name":"Spoilt","parent_id":"fruit"}`
	spoiltStore    = `{"store_id":"spoilt-store","name":"Spoilt","delivery_fee":{"currency":"GBP","minor_units":100}}`
)

// rangeRows are about brands, categories and stores.
func (w *world) rangeRows() []row {
	var rows []row
	add := func(rpc, what, as, request, body, want string) {
		rows = append(rows, row{rpc: "ProductService." + rpc, what: what, as: as, request: request, body: body, want: want})
	}
	// Those that there are stay as they are, as something refers to them or the request is refused.
	for _, kind := range []struct{ name, path, field, there, good, unknown, as string }{
		{"Brand", "/v1/brands", "brand", "larder-market", spoiltBrand, "BRAND_NOT_FOUND", "merchandiser"},
		{"Category", "/v1/categories", "category", "fruit", spoiltCategory, "CATEGORY_NOT_FOUND", "merchandiser"},
		{"Store", "/v1/stores", "store", "soho", spoiltStore, "STORE_NOT_FOUND", "operator"},
	} {
		with := func(member, value string) string {
			return strings.Replace(kind.good, `"name":"Spoilt"`, `"name":"Spoilt","`+member+`":`+value, 1)
		}
		named := func(name string) string { return strings.Replace(kind.good, `"name":"Spoilt"`, `"name":`+name, 1) }
		at := kind.path + "/" + kind.there
		for what, id := range map[string][2]string{
			"unknown": {"nonsense", "404 " + kind.unknown}, "capitals": {"SPOILT", "400 INVALID_ARGUMENT " + kind.field + "_id"},
			"SQL": {"%27%3B--", "400 INVALID_ARGUMENT " + kind.field + "_id"}, "dots": {"%2e%2e", "400 INVALID_ARGUMENT " + kind.field + "_id"},
		} {
			add("Get"+kind.name, "id: "+what, "", "GET "+kind.path+"/"+id[0], "", id[1])
			add("Update"+kind.name, "id: "+what, kind.as, "PATCH "+kind.path+"/"+id[0], `{"name":"x"}`, id[1])
			add("Delete"+kind.name, "id: "+what, kind.as, "DELETE "+kind.path+"/"+id[0], "", id[1])
		}
		add("Create"+kind.name, "an id that is taken", kind.as, "POST "+kind.path,
			strings.Replace(kind.good, "spoilt-"+kind.field, kind.there, 1), "409 ALREADY_EXISTS "+kind.field+"."+kind.field+"_id")
		add("Create"+kind.name, "an id of capitals", kind.as, "POST "+kind.path,
			strings.Replace(kind.good, "spoilt-"+kind.field, "Spoilt", 1), "400 INVALID_ARGUMENT "+kind.field+"."+kind.field+"_id")
		for what, name := range map[string]string{
			"none": `""`, "of spaces": `"  "`, "too long": `"` + strings.Repeat("x", 201) + `"`, "with NUL": `"a\u0000b"`,
		} {
			add("Create"+kind.name, "a name: "+what, kind.as, "POST "+kind.path, named(name), "400 INVALID_ARGUMENT "+kind.field+".name")
			add("Update"+kind.name, "a name: "+what, kind.as, "PATCH "+at+"?update_mask=name", `{"name":`+name+`}`, "400 INVALID_ARGUMENT "+kind.field+".name")
		}
		add("Create"+kind.name, "a number for a name", kind.as, "POST "+kind.path, named(`1`), "400 INVALID_ARGUMENT name")
		add("Create"+kind.name, "a long etag", kind.as, "POST "+kind.path, with("etag", `"`+strings.Repeat("x", 101)+`"`), "400 INVALID_ARGUMENT "+kind.field+".etag")
		add("Update"+kind.name, "an unknown field in the mask", kind.as, "PATCH "+at+"?update_mask=nonsense", `{"name":"x"}`, "400 INVALID_ARGUMENT update_mask")
		add("Update"+kind.name, "an old etag", kind.as, "PATCH "+at, `{"name":"x","etag":"1"}`, "412 ETAG_MISMATCH")
		add("Delete"+kind.name, "an old etag", kind.as, "DELETE "+at+"?etag=1", "", "412 ETAG_MISMATCH")
		add("Delete"+kind.name, "one in use", kind.as, "DELETE "+at, "", "409 IN_USE")
	}
	category := func(what, body, want string) {
		add("CreateCategory", what, "merchandiser", "POST /v1/categories", body, want)
	}
	category("an unknown parent", strings.Replace(spoiltCategory, "fruit", "nonsense", 1), "404 CATEGORY_NOT_FOUND category.parent_id")
	category("its own parent", strings.Replace(spoiltCategory, "fruit", "spoilt-category", 1), "409 CATEGORY_CYCLE category.parent_id")
	category("a position that is none", strings.Replace(spoiltCategory, `"name"`, `"position":2147483648,"name"`, 1), "400 INVALID_ARGUMENT position")
	add("UpdateCategory", "its own parent", "merchandiser", "PATCH /v1/categories/fruit", `{"parent_id":"fruit"}`, "409 CATEGORY_CYCLE category.parent_id")
	add("UpdateCategory", "an unknown parent", "merchandiser", "PATCH /v1/categories/fruit", `{"parent_id":"nonsense"}`, "404 CATEGORY_NOT_FOUND category.parent_id")
	store := func(what, members, want string) {
		add("CreateStore", what, "operator", "POST /v1/stores", strings.TrimSuffix(spoiltStore, "}")+","+members+"}", want)
	}
	store("a foreign currency", `"currency":"EUR"`, "400 INVALID_ARGUMENT store.delivery_fee.currency")
	store("a postcode of small letters", `"postcodes":["nw5"]`, "400 INVALID_ARGUMENT store.postcodes[0]")
	store("SQL for a postcode", `"postcodes":["' or 1=1"]`, "400 INVALID_ARGUMENT store.postcodes[0]")
	store("a postcode twice", `"postcodes":["NW5","NW5"]`, "400 INVALID_ARGUMENT store.postcodes")
	store("a negative limit", `"free_delivery_from":{"currency":"GBP","minor_units":-1}`, "400 INVALID_ARGUMENT store.free_delivery_from.minor_units")
	add("UpdateStore", "no fee", "operator", "PATCH /v1/stores/soho?update_mask=delivery_fee", `{}`, "400 INVALID_ARGUMENT store.delivery_fee")
	add("UpdateStore", "a negative fee", "operator", "PATCH /v1/stores/soho", `{"delivery_fee":{"currency":"GBP","minor_units":-1}}`, "400 INVALID_ARGUMENT store.delivery_fee.minor_units")
	add("ListBrands", "a large page", "", "GET /v1/brands?page_size=101", "", "400 INVALID_ARGUMENT page_size")
	add("ListBrands", "a rubbish token", "", "GET /v1/brands?page_token=rubbish", "", "400 INVALID_PAGE_TOKEN page_token")
	add("ListBrands", "a token of the products' list", "", "GET /v1/brands?page_token="+w.page["products"], "", "400 INVALID_PAGE_TOKEN page_token")
	return rows
}
