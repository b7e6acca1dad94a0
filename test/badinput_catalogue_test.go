package test

import (
	"fmt"
	"net/url"
	"strings"
)

// numbers are no quantities, prices or sizes, as JSON; with what is wrong: "form" for those that no integer can have.
var numbers = map[string]string{
	"zero": `0`, "minus one": `-1`, "10^9": `1000000000`, "2^31": `2147483648`, "2^63": `9223372036854775808`, "-2^63-1": `-9223372036854775809`,
	"1e30": `1e30`, "1e400": `1e400`, "a fraction": `1.5`, "NaN": `"NaN"`, "Infinity": `"Infinity"`, "a word": `"many"`, "nothing": `""`,
	"true": `true`, "a list": `[1]`, "an object": `{"value":1}`, "hexadecimal": `"0x10"`, "spaces": `" 1 "`, "2^64 in words": `"18446744073709551616"`,
}

func (w *world) product(id string) string {
	return fmt.Sprintf(`{"product_id":%q,"name":"Spoilt","category_id":"fruit","price":{"currency":"GBP","minor_units":100}}`, id)
}

func (w *world) productRows() []row {
	id := "spoilt-" + w.sold
	good := w.product(id)
	create := func(what, body, want string) row {
		return row{rpc: "ProductService.CreateProduct", what: what, as: "merchandiser", request: "POST /v1/products", body: body, want: want}
	}
	// with adds or replaces a member of a good product; the last of two would be refused, so the first is taken out.
	with := func(member, value string) string {
		for _, present := range []string{`"name":"Spoilt",`, `"category_id":"fruit",`, fmt.Sprintf(`"product_id":%q,`, id), `,"price":{"currency":"GBP","minor_units":100}`} {
			if strings.Contains(present, `"`+member+`":`) {
				return strings.TrimSuffix(strings.Replace(good, present, "", 1), "}") + fmt.Sprintf(`,%q:%s}`, member, value)
			}
		}
		return strings.TrimSuffix(good, "}") + fmt.Sprintf(`,%q:%s}`, member, value)
	}
	update := func(what, query, body, want string) row {
		return row{rpc: "ProductService.UpdateProduct", what: what, as: "merchandiser", request: "PATCH /v1/products/" + w.sold + query, body: body, want: want}
	}
	list := func(what, query, want string) row {
		return row{rpc: "ProductService.ListProducts", what: what, request: "GET /v1/products?" + query, want: want}
	}
	changes := func(what, query, want string) row {
		return row{rpc: "ProductService.ListChanges", what: what, as: "operator", request: "GET /v1/changes?" + query, want: want}
	}
	stores := func(what, postcode string) row {
		return row{rpc: "ProductService.ListStores", what: "postcode: " + what, request: "GET /v1/stores?postcode=" + postcode, want: "400 INVALID_ARGUMENT postcode"}
	}
	file := func(what, kind, key, body, want string) row {
		headers := []string{"Content-Type: " + kind}
		if key != "" {
			headers = append(headers, "Idempotency-Key: "+key)
		}
		return row{
			rpc: "ProductService.ImportProducts", what: what, as: "merchandiser", request: "POST /v1/products:import", body: body, want: want, headers: headers,
		}
	}
	rows := []row{
		file("no key", "application/x-ndjson", "", good, "400 IDEMPOTENCY_KEY_REQUIRED"),
		file("a key with a path in it", "application/x-ndjson", "../../spoilt", good, "400 IDEMPOTENCY_KEY_REQUIRED"),
		file("JSON for a file", "application/json", "{key}", good, "415 UNSUPPORTED_MEDIA_TYPE"),
		file("a spreadsheet", "application/vnd.ms-excel", "{key}", good, "415 UNSUPPORTED_MEDIA_TYPE"),
		file("an empty CSV file", "text/csv", "{key}", "", "400 INVALID_ARGUMENT body"),
		file("a CSV file without names", "text/csv", "{key}", "a,b\n", "400 INVALID_ARGUMENT a,b,category_id,name,price.minor_units,product_id"),

		create("nothing", `{}`, "400 INVALID_ARGUMENT product.category_id,product.name,product.price,product.product_id"),
		create("an empty body", ``, "400 INVALID_ARGUMENT product.category_id,product.name,product.price,product.product_id"),
		create("an id of capitals", with("product_id", `"Spoilt"`), "400 INVALID_ARGUMENT product.product_id"),
		create("an id too long", with("product_id", `"`+strings.Repeat("x", 64)+`"`), "400 INVALID_ARGUMENT product.product_id"),
		create("a path for an id", with("product_id", `"../x"`), "400 INVALID_ARGUMENT product.product_id"),
		create("an id that is taken", w.product(w.sold), "409 ALREADY_EXISTS product.product_id"),
		create("no name", with("name", `""`), "400 INVALID_ARGUMENT product.name"),
		create("a name of spaces", with("name", `"   "`), "400 INVALID_ARGUMENT product.name"),
		create("a name too long", with("name", `"`+strings.Repeat("x", 201)+`"`), "400 INVALID_ARGUMENT product.name"),
		create("NUL in the name", with("name", `"a\u0000b"`), "400 INVALID_ARGUMENT product.name"),
		create("an unknown category", with("category_id", `"nonsense"`), "404 CATEGORY_NOT_FOUND product.category_id"),
		create("an unknown brand", with("brand_id", `"nonsense"`), "404 BRAND_NOT_FOUND product.brand_id"),
		create("an unknown store", with("store_ids", `["nonsense"]`), "404 STORE_NOT_FOUND product.store_ids"),
		create("a store twice", with("store_ids", `["soho","soho"]`), "400 INVALID_ARGUMENT product.store_ids"),
		create("a description too long", with("description", `"`+strings.Repeat("x", 4001)+`"`), "400 INVALID_ARGUMENT product.description"),
		create("SQL for a family", with("family_id", `"' or 1=1"`), "400 INVALID_ARGUMENT product.family_id"),
		create("a GTIN of letters", with("gtin", `"abcdefgh"`), "400 INVALID_ARGUMENT product.gtin"),
		create("HTML for a tag", with("tags", `["<b>"]`), "400 INVALID_ARGUMENT product.tags[0]"),
		create("too many tags", with("tags", w.tags(31)), "400 INVALID_ARGUMENT product.tags"),
		create("a string for tags", with("tags", `"vegan"`), "400 INVALID_ARGUMENT body"),
		create("a script for an image", with("image_uri", `"javascript:alert(1)"`), "400 INVALID_ARGUMENT product.image_uri"),
		create("a script for another image", with("more_image_uris", `["javascript:alert(1)"]`), "400 INVALID_ARGUMENT product.more_image_uris[0]"),
		create("an unknown status", with("status", `"SOLD_OUT"`), "400 INVALID_ARGUMENT status"),
		create("an unknown status by number", with("status", `77`), "400 INVALID_ARGUMENT product.status"),
		create("an unknown currency", with("price", `{"currency":"pounds","minor_units":1}`), "400 INVALID_ARGUMENT product.price.currency"),
		create("a foreign currency", with("price", `{"currency":"EUR","minor_units":1}`), "400 INVALID_ARGUMENT product.price.currency"),
		create("a number for a price", with("price", `1`), "400 INVALID_ARGUMENT body"),
		create("a negative tax", with("tax_rate_bps", `-1`), "400 INVALID_ARGUMENT product.tax_rate_bps"),
		create("a tax above all", with("tax_rate_bps", `10001`), "400 INVALID_ARGUMENT product.tax_rate_bps"),
		create("a negative cost", with("cost", `{"currency":"GBP","minor_units":-1}`), "400 INVALID_ARGUMENT product.cost.minor_units"),
		create("a time that is none", with("create_time", `"yesterday"`), "400 INVALID_ARGUMENT body"),

		update("an unknown field in the mask", "?update_mask=nonsense", `{"name":"x"}`, "400 INVALID_ARGUMENT update_mask"),
		update("a field twice removed in the mask", "?update_mask=price.nonsense", `{"name":"x"}`, "400 INVALID_ARGUMENT update_mask"),
		update("a name of spaces", "", `{"name":" "}`, "400 INVALID_ARGUMENT product.name"),
		update("no name", "?update_mask=name", `{}`, "400 INVALID_ARGUMENT product.name"),
		update("no cost", "?update_mask=cost", `{}`, "400 INVALID_ARGUMENT product.cost"),
		update("an unknown category", "", `{"category_id":"nonsense"}`, "404 CATEGORY_NOT_FOUND product.category_id"),
		update("an old etag", "", `{"name":"x","etag":"1"}`, "412 ETAG_MISMATCH"),
		update("SQL for an etag", "", `{"name":"x","etag":"' or 1=1 --"}`, "412 ETAG_MISMATCH"),
		{rpc: "ProductService.UpdateProduct", what: "another id in the body", as: "merchandiser", request: "PATCH /v1/products/" + w.sold, body: `{"product_id":"` + w.unsold + `","name":"x","etag":"1"}`, want: "412 ETAG_MISMATCH"},

		list("a negative page", "page_size=-1", "400 INVALID_ARGUMENT page_size"),
		list("a large page", "page_size=101", "400 INVALID_ARGUMENT page_size"),
		list("a huge page", "page_size=9223372036854775808", "400 INVALID_ARGUMENT page_size"),
		list("a word for a page", "page_size=NaN", "400 INVALID_ARGUMENT page_size"),
		list("two pages", "page_size=1&page_size=2", "400 INVALID_ARGUMENT page_size"),
		list("a rubbish token", "page_token=rubbish", "400 INVALID_PAGE_TOKEN page_token"),
		list("SQL for a token", "page_token=%27%20or%201=1", "400 INVALID_PAGE_TOKEN page_token"),
		list("a long token", "page_token="+strings.Repeat("x", 1001), "400 INVALID_ARGUMENT page_token"),
		list("a token of the stock's list", "page_token="+w.page["stock"], "400 INVALID_PAGE_TOKEN page_token"),
		list("a token of a category's list", "page_token="+w.page["fruit"], "400 INVALID_PAGE_TOKEN page_token"),
		list("a token of the search", "page_token="+w.page["search"], "400 INVALID_PAGE_TOKEN page_token"),
		list("an unknown category", "category_id=nonsense", "404 CATEGORY_NOT_FOUND"),
		list("an unknown order", "order_by=price", "400 INVALID_ARGUMENT order_by"),
		list("SQL for an order", "order_by=name%3B%20drop%20table%20products.products", "400 INVALID_ARGUMENT order_by"),
		list("a token of another order", "order_by=name&page_token="+w.page["products"], "400 INVALID_PAGE_TOKEN page_token"),
		list("SQL for a category", "category_id=%27%3B%20drop%20table%20products.products%3B--", "400 INVALID_ARGUMENT category_id"),
		list("NUL in a category", "category_id=fruit%00", "400 INVALID_ARGUMENT category_id"),

		changes("a large page", "page_size=101", "400 INVALID_ARGUMENT page_size"),
		changes("a rubbish token", "page_token=rubbish", "400 INVALID_PAGE_TOKEN page_token"),
		changes("a token of the products' list", "page_token="+w.page["products"], "400 INVALID_PAGE_TOKEN page_token"),
		changes("SQL for a product", "product_id=%27%20or%201=1", "400 INVALID_ARGUMENT product_id"),
		changes("a product and a brand", "product_id=bananas&brand_id=larder-market", "400 INVALID_ARGUMENT brand_id"),
		changes("a table", "table=users", "400 INVALID_ARGUMENT table"),

		stores("a word", "nonsense"),
		stores("SQL", "%27%20or%201=1"),
		stores("too long", strings.Repeat("A", 13)),
		stores("NUL", "SW1%00"),
		stores("broken UTF-8", "%ff"),
		{rpc: "ProductService.ListCategories", what: "a page", request: "GET /v1/categories?page_size=1", want: "400 INVALID_ARGUMENT page_size"},
		{rpc: "ProductService.ListCategories", what: "a category's products", request: "GET /v1/categories/fruit/products", want: "404 ROUTE_NOT_FOUND"},
		{rpc: "ProductService.DeleteProduct", what: "an old etag", as: "merchandiser", request: "DELETE /v1/products/" + w.sold + "?etag=1", want: "412 ETAG_MISMATCH"},
	}
	for rpc, request := range map[string]row{
		"ProductService.GetProduct":    {request: "GET"},
		"ProductService.DeleteProduct": {request: "DELETE", as: "merchandiser"},
		"ProductService.UpdateProduct": {request: "PATCH", as: "merchandiser", body: `{"name":"x"}`},
	} {
		for what, try := range map[string][2]string{
			"unknown": {"nonsense-" + w.sold, "404 PRODUCT_NOT_FOUND"}, "capitals": {"BANANAS", "400 INVALID_ARGUMENT product_id"},
			"SQL": {"%27%3B--", "400 INVALID_ARGUMENT product_id"}, "HTML": {"%3Cscript%3E", "400 INVALID_ARGUMENT product_id"},
			"NUL": {"bananas%00", "400 INVALID_ARGUMENT product_id"}, "a long one": {strings.Repeat("x", 8000), "400 INVALID_ARGUMENT product_id"},
			"another alphabet": {url.PathEscape("бананы"), "400 INVALID_ARGUMENT product_id"}, "a slash": {"bananas%2Fx", "404 ROUTE_NOT_FOUND"},
			"dots": {"%2e%2e", "400 INVALID_ARGUMENT product_id"}, "broken UTF-8": {"%c3", "400 INVALID_ARGUMENT product_id"},
		} {
			if rpc == "ProductService.UpdateProduct" && (what == "NUL" || what == "broken UTF-8") {
				try[1] = "400 INVALID_ARGUMENT product.product_id" // refused as text, before it is looked at as an id
			}
			rows = append(rows, row{rpc: rpc, what: "id: " + what, as: request.as, request: request.request + " /v1/products/" + try[0], body: request.body, want: try[1]})
		}
	}
	for what, number := range numbers {
		want := "400 INVALID_ARGUMENT minor_units"
		switch what {
		case "zero", "minus one", "10^9", "2^31":
			want = "400 INVALID_ARGUMENT product.price.minor_units"
		}
		rows = append(rows,
			create("price: "+what, with("price", `{"currency":"GBP","minor_units":`+number+`}`), want),
			update("price: "+what, "", `{"price":{"currency":"GBP","minor_units":`+number+`}}`, want))
	}
	return rows
}

// tags are that many that are good, as JSON.
func (w *world) tags(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"tag-%d"`, i))
	}
	return "[" + strings.Join(list, ",") + "]"
}

func (w *world) searchRows() []row {
	search := func(what, query, want string) row {
		return row{rpc: "SearchService.Search", what: what, request: "GET /v1/search?" + query, want: want}
	}
	suggest := func(what, query, want string) row {
		return row{rpc: "SearchService.Suggest", what: what, request: "GET /v1/search:suggest?" + query, want: want}
	}
	rows := []row{
		search("no store", "q=milk", "400 INVALID_ARGUMENT store"),
		search("an odd store", "q=milk&store=So%20Ho", "400 INVALID_ARGUMENT store"),
		search("an unknown parameter of Elasticsearch", "q=milk&store=soho&source=%7B%7D", "400 INVALID_ARGUMENT source"),
		search("a long query", "store=soho&q="+strings.Repeat("x", 201), "400 INVALID_ARGUMENT q"),
		search("NUL in the query", "store=soho&q=mi%00lk", "400 INVALID_ARGUMENT q"),
		search("broken UTF-8 in the query", "store=soho&q=%c3%28", "400 INVALID_ARGUMENT q"),
		search("two queries", "store=soho&q=a&q=b", "400 INVALID_ARGUMENT q"),
		search("a negative price", "store=soho&min_price=-1", "400 INVALID_ARGUMENT min_price"),
		search("a word for a price", "store=soho&min_price=cheap", "400 INVALID_ARGUMENT min_price"),
		search("a fraction for a price", "store=soho&max_price=1.5", "400 INVALID_ARGUMENT max_price"),
		search("2^63 for a price", "store=soho&max_price=9223372036854775808", "400 INVALID_ARGUMENT max_price"),
		search("NaN for a price", "store=soho&max_price=NaN", "400 INVALID_ARGUMENT max_price"),
		search("1e30 for a price", "store=soho&max_price=1e30", "400 INVALID_ARGUMENT max_price"),
		search("prices the wrong way round", "store=soho&min_price=2&max_price=1", "400 INVALID_ARGUMENT min_price"),
		search("an unknown order", "store=soho&sort=MARGIN", "400 INVALID_ARGUMENT sort"),
		search("an unknown order by number", "store=soho&sort=77", "400 INVALID_ARGUMENT sort"),
		search("a large page", "store=soho&page_size=101", "400 INVALID_ARGUMENT page_size"),
		search("a negative page", "store=soho&page_size=-1", "400 INVALID_ARGUMENT page_size"),
		search("2^31 for a page", "store=soho&page_size=2147483648", "400 INVALID_ARGUMENT page_size"),
		search("a rubbish token", "store=soho&page_token=rubbish", "400 INVALID_PAGE_TOKEN page_token"),
		search("a long token", "store=soho&page_token="+strings.Repeat("x", 2001), "400 INVALID_ARGUMENT page_token"),
		search("another query's token", "store=soho&q=bread&page_token="+w.page["search"], "400 INVALID_PAGE_TOKEN page_token"),
		search("another store's token", "store=camden&q=milk&page_token="+w.page["search"], "400 INVALID_PAGE_TOKEN page_token"),
		search("another order's token", "store=soho&q=milk&sort=NAME&page_token="+w.page["search"], "400 INVALID_PAGE_TOKEN page_token"),
		search("another list's token", "store=soho&q=milk&page_token="+w.page["products"], "400 INVALID_PAGE_TOKEN page_token"),
		search("too many filters", "store=soho"+strings.Repeat("&tag=vegan", 21), "400 INVALID_ARGUMENT tag"),
		search("a long filter", "store=soho&brand="+strings.Repeat("x", 2000), "400 INVALID_ARGUMENT brand[0]"),
		{rpc: "SearchService.Search", what: "a body", request: "POST /v1/search", body: `{"query":{"match_all":{}}}`, want: "405 METHOD_NOT_ALLOWED"},
		{rpc: "SearchService.Search", what: "the index itself", request: "GET /products/_search", want: "400", page: true},
		search("an explanation for nobody", "store=soho&q=milk&explain=true", "401 UNAUTHENTICATED"),
		{rpc: "SearchService.Search", what: "an explanation for a shopper", as: "shopper", request: "GET /v1/search?store=soho&q=milk&explain=true", want: "403 PERMISSION_DENIED"},
		search("half an explanation", "store=soho&q=milk&explain=maybe", "400 INVALID_ARGUMENT explain"),
		suggest("no store", "q=mi", "400 INVALID_ARGUMENT store"),
		suggest("an odd store", "q=mi&store=So%20Ho", "400 INVALID_ARGUMENT store"),
		suggest("a long beginning", "store=soho&q="+strings.Repeat("x", 201), "400 INVALID_ARGUMENT q"),
		suggest("NUL in a beginning", "store=soho&q=mi%00", "400 INVALID_ARGUMENT q"),
		suggest("too many", "store=soho&q=mi&limit=21", "400 INVALID_ARGUMENT limit"),
		suggest("less than none", "store=soho&q=mi&limit=-1", "400 INVALID_ARGUMENT limit"),
		suggest("a search's parameter", "store=soho&q=mi&page_size=3", "400 INVALID_ARGUMENT page_size"),
	}
	for what, text := range map[string]string{
		"Lucene": `name:* OR (available_in:soho) AND -deleted:true`, "Lucene's wildcards": `*?~^"[a TO z]`, "a regular expression": `/.*/`,
		"JSON": `{"match_all":{}}`, "half JSON": `"},"size":10000,{"x":"`, "a script": `${Runtime.exec('id')}`, "a template": `{{#toJson}}x{{/toJson}}`,
		"SQL": `' OR 1=1; --`, "HTML": `<img src=x onerror=alert(1)>`, "Lua": `]] redis.call('flushall') --[[`, "only signs": `!!!???`, "right to left": "\u202egro", "emoji": "🍌🍌🍌",
		"combining marks": "e" + strings.Repeat("\u0301", 40), "ideographs": "牛乳を買う", "one letter": "a", "many words": strings.Repeat("a ", 40),
	} {
		rows = append(rows,
			search("as data: "+what, "store=soho&q="+url.QueryEscape(text), "200"),
			suggest("as data: "+what, "store=soho&q="+url.QueryEscape(text), "200"),
			search("a filter as data: "+what, "store=soho&q=milk&tag="+url.QueryEscape(text)+"&category="+url.QueryEscape(text), "200"))
	}
	return rows
}
