package product

import (
	"bytes"
	"encoding/csv"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	productpb "larder.dev/api/product/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/serve"
)

// product reads a line. Errors: coded ones with violations, named as in the API.
func (i *Importer) product(part *ImportPart, line []byte) (Product, error) {
	if len(line) > MaxLine {
		return Product{}, fault.RequestTooLarge.New("a line may have %d bytes", MaxLine).
			WithViolation("body", "is too long, a line may have "+strconv.Itoa(MaxLine)+" bytes")
	}
	given := &productpb.Product{}
	var err error
	if part.Format == CSV {
		err = readCells(given, part.Columns, line)
	} else {
		err = serve.Decode(line, given)
	}
	if err != nil {
		return Product{}, err
	}
	// As a creation's: the violations are then named the same.
	if err := serve.Validate(i.validator, &productpb.CreateProductRequest{Product: given}); err != nil {
		return Product{}, err
	}
	p := fromProto(given)
	whole := p
	if whole.Status == "" {
		whole.Status = Draft
	}
	return p, check(whole)
}

// What of a refusal is kept, runes: names of fields that don't exist may be as long as a line.
const (
	fieldKept       = 100
	descriptionKept = 300
)

// lineErrors tells a refusal's violations as errors of a line.
func lineErrors(line int64, err error) []LineError {
	refusal := fault.From(err)
	var found []LineError
	for _, v := range refusal.Violations() {
		found = append(found, LineError{
			Line: line, Field: shortened(strings.TrimPrefix(v.GetField(), "product."), fieldKept),
			Reason: refusal.Reason().Name, Description: shortened(v.GetDescription(), descriptionKept),
		})
	}
	if found == nil {
		found = []LineError{{Line: line, Field: "body", Reason: refusal.Reason().Name, Description: shortened(refusal.Message(), descriptionKept)}}
	}
	return found
}

func shortened(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "..."
}

// cells set a product's fields by columns of a CSV file. An empty cell sets nothing; lists have spaces between their ids.
var cells = map[string]func(p *productpb.Product, cell string) error{
	"product_id":        func(p *productpb.Product, cell string) error { p.ProductId = cell; return nil },
	"name":              func(p *productpb.Product, cell string) error { p.Name = cell; return nil },
	"brand_id":          func(p *productpb.Product, cell string) error { p.BrandId = cell; return nil },
	"category_id":       func(p *productpb.Product, cell string) error { p.CategoryId = cell; return nil },
	"description":       func(p *productpb.Product, cell string) error { p.Description = cell; return nil },
	"size":              func(p *productpb.Product, cell string) error { p.Size = cell; return nil },
	"gtin":              func(p *productpb.Product, cell string) error { p.Gtin = cell; return nil },
	"tags":              func(p *productpb.Product, cell string) error { p.Tags = strings.Fields(cell); return nil },
	"image_uri":         func(p *productpb.Product, cell string) error { p.ImageUri = cell; return nil },
	"store_ids":         func(p *productpb.Product, cell string) error { p.StoreIds = strings.Fields(cell); return nil },
	"price.currency":    func(p *productpb.Product, cell string) error { priceOf(p).Currency = cell; return nil },
	"cost.currency":     func(p *productpb.Product, cell string) error { costOf(p).Currency = cell; return nil },
	"price.minor_units": func(p *productpb.Product, cell string) error { return setInt64(&priceOf(p).MinorUnits, cell) },
	"cost.minor_units":  func(p *productpb.Product, cell string) error { return setInt64(&costOf(p).MinorUnits, cell) },
	"tax_rate_bps":      func(p *productpb.Product, cell string) error { return setInt32(&p.TaxRateBps, cell) },
	"max_per_shopper":   func(p *productpb.Product, cell string) error { return setInt32(&p.MaxPerShopper, cell) },
	"piece_grams":       func(p *productpb.Product, cell string) error { return setInt32(&p.PieceGrams, cell) },
	"family_id":         func(p *productpb.Product, cell string) error { p.FamilyId = cell; return nil },
	"more_image_uris":   func(p *productpb.Product, cell string) error { p.MoreImageUris = strings.Fields(cell); return nil },
	"status": func(p *productpb.Product, cell string) error {
		value, known := productpb.Product_Status_value[cell]
		if !known {
			return errors.New("must be DRAFT, ACTIVE or RETIRED")
		}
		p.Status = productpb.Product_Status(value)
		return nil
	},
}

// needed are the columns that every file has.
var needed = []string{"product_id", "name", "category_id", "price.minor_units"}

// priceOf is the product's price to be set; its currency is the stores' unless a column says otherwise.
func priceOf(p *productpb.Product) *typepb.Money {
	if p.GetPrice() == nil {
		p.Price = &typepb.Money{Currency: Currency}
	}
	return p.GetPrice()
}

func costOf(p *productpb.Product) *typepb.Money {
	if p.GetCost() == nil {
		p.Cost = &typepb.Money{Currency: Currency}
	}
	return p.GetCost()
}

func setInt64(field *int64, cell string) (err error) {
	if *field, err = strconv.ParseInt(cell, 10, 64); err != nil {
		return errors.New("not a valid int64")
	}
	return nil
}

func setInt32(field *int32, cell string) error {
	value, err := strconv.ParseInt(cell, 10, 32)
	if err != nil {
		return errors.New("not a valid int32")
	}
	*field = int32(value)
	return nil
}

// columnsOf reads the first line of a CSV file. Errors: INVALID_ARGUMENT.
func columnsOf(line []byte) ([]string, error) {
	columns, err := record(line)
	if err != nil {
		return nil, err
	}
	refusal, faults := fault.InvalidArgument.New("the first line must name the fields"), 0
	violated := func(field, description string) {
		refusal.WithViolation(shortened(field, fieldKept), description)
		faults++
	}
	for n, column := range columns {
		switch {
		case faults == maxFaults:
			return nil, refusal
		case cells[column] == nil:
			violated(strings.ToValidUTF8(column, "?"), "no such field")
		case slices.Contains(columns[:n], column):
			violated(column, "given twice")
		}
	}
	for _, column := range needed {
		if !slices.Contains(columns, column) {
			violated(column, "must be one of the fields")
		}
	}
	if faults > 0 {
		return nil, refusal
	}
	return columns, nil
}

// maxFaults bounds what is told of a first line that is none.
const maxFaults = 20

// readCells reads a line of a CSV file into a product. Errors: INVALID_ARGUMENT with each cell that can't be read.
func readCells(p *productpb.Product, columns []string, line []byte) error {
	row, err := record(line)
	if err != nil {
		return err
	}
	if len(row) != len(columns) {
		return fault.Invalid("body", "has %d fields, the first line names %d", len(row), len(columns))
	}
	refusal, faults := fault.InvalidArgument.New("the line has invalid fields"), 0
	for n, cell := range row {
		if cell == "" {
			continue
		}
		if err := cells[columns[n]](p, cell); err != nil {
			refusal.WithViolation(columns[n], err.Error())
			faults++
		}
	}
	if n := slices.Index(columns, "cost.minor_units"); n < 0 || row[n] == "" {
		p.Cost = nil // a currency alone is no cost
	}
	if faults > 0 {
		return refusal
	}
	return nil
}

// record splits a line after RFC 4180, but for line breaks in quotes: a line is a product, so that one open quote doesn't swallow
// what follows. Errors: INVALID_ARGUMENT.
func record(line []byte) ([]string, error) {
	if !utf8.Valid(line) {
		return nil, fault.Invalid("body", "is not UTF-8")
	}
	row, err := csv.NewReader(bytes.NewReader(line)).Read()
	var malformed *csv.ParseError
	if errors.As(err, &malformed) {
		return nil, fault.Invalid("body", "not valid CSV at byte %d", malformed.Column)
	}
	if err != nil {
		return nil, fault.Invalid("body", "not valid CSV")
	}
	return row, nil
}
