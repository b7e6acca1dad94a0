package product

import (
	"context"
	"slices"

	"buf.build/go/protovalidate"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/serve"
)

// Server is the room's API, larder.product.v1.ProductService.
type Server struct {
	productpb.UnimplementedProductServiceServer
	service   *Service
	auditor   *Auditor
	importer  *Importer
	validator protovalidate.Validator
}

// NewServer makes the API. The validator holds a changed product against its proto's rules.
func NewServer(service *Service, auditor *Auditor, importer *Importer, validator protovalidate.Validator) *Server {
	return &Server{service: service, auditor: auditor, importer: importer, validator: validator}
}

// Gateway registers the API's REST side.
func Gateway(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
	return productpb.RegisterProductServiceHandlerClient(ctx, mux, productpb.NewProductServiceClient(conn))
}

// GetProduct implements ProductServiceServer.
func (s *Server) GetProduct(ctx context.Context, req *productpb.GetProductRequest) (*productpb.Product, error) {
	return answer(s.service.Product(ctx, req.GetProductId()))
}

// ListProducts implements ProductServiceServer.
func (s *Server) ListProducts(ctx context.Context, req *productpb.ListProductsRequest) (*productpb.ListProductsResponse, error) {
	filter := Filter{
		CategoryID: req.GetCategoryId(), BrandID: req.GetBrandId(), Tag: req.GetTag(), StoreID: req.GetStoreId(), Status: statusOf(req.GetStatus()),
	}
	page, err := s.service.List(ctx, filter, Order(req.GetOrderBy()), int(req.GetPageSize()), req.GetPageToken())
	if err != nil {
		return nil, err
	}
	list := &productpb.ListProductsResponse{NextPageToken: page.Next}
	for _, p := range page.Products {
		list.Products = append(list.Products, toProto(p))
	}
	return list, nil
}

// BatchGetOffers implements ProductServiceServer.
func (s *Server) BatchGetOffers(ctx context.Context, req *productpb.BatchGetOffersRequest) (*productpb.BatchGetOffersResponse, error) {
	shop, offers, err := s.service.Offers(ctx, req.GetStoreId(), req.GetProductIds())
	if err != nil {
		return nil, err
	}
	batch := &productpb.BatchGetOffersResponse{Store: shop.proto()}
	for _, o := range offers {
		batch.Offers = append(batch.Offers, &productpb.Offer{
			ProductId: o.ProductID, Name: o.Name, Size: o.Size, ImageUri: o.ImageURI,
			Price: o.Price.Proto(), TaxRateBps: o.TaxRateBPS, Sold: o.Sold, Available: o.Available,
			MaxPerShopper: o.MaxPerShopper, PieceGrams: o.PieceGrams,
		})
	}
	return batch, nil
}

// CreateProduct implements ProductServiceServer.
func (s *Server) CreateProduct(ctx context.Context, req *productpb.CreateProductRequest) (*productpb.Product, error) {
	return answer(s.service.Create(ctx, fromProto(req.GetProduct())))
}

// UpdateProduct implements ProductServiceServer.
func (s *Server) UpdateProduct(ctx context.Context, req *productpb.UpdateProductRequest) (*productpb.Product, error) {
	given := req.GetProduct()
	if err := serve.Validate(s.validator, &productpb.GetProductRequest{ProductId: given.GetProductId()}); err != nil {
		return nil, err
	}
	paths, err := productFields.changed(given, req.GetUpdateMask())
	if err != nil {
		return nil, err
	}
	return answer(s.service.Update(ctx, given.GetProductId(), given.GetEtag(), func(p *Product) error {
		if slices.Contains(paths, "cost") && given.GetCost() == nil {
			return fault.Invalid("product.cost", "must be given: a cost can be changed, not removed")
		}
		merged := toProto(*p)
		layOver(merged, given, paths)
		// As a creation's: the violations are then named the same.
		if err := serve.Validate(s.validator, &productpb.CreateProductRequest{Product: merged}); err != nil {
			return err
		}
		kept := *p
		*p = fromProto(merged)
		p.Version, p.CreateTime, p.UpdateTime = kept.Version, kept.CreateTime, kept.UpdateTime
		return nil
	}))
}

// DeleteProduct implements ProductServiceServer.
func (s *Server) DeleteProduct(ctx context.Context, req *productpb.DeleteProductRequest) (*emptypb.Empty, error) {
	if err := s.service.Delete(ctx, req.GetProductId(), req.GetEtag()); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// UpdateAvailability implements ProductServiceServer.
func (s *Server) UpdateAvailability(ctx context.Context, req *productpb.UpdateAvailabilityRequest) (*productpb.UpdateAvailabilityResponse, error) {
	changes := make([]Availability, 0, len(req.GetChanges()))
	for _, c := range req.GetChanges() {
		changes = append(changes, Availability{ProductID: c.GetProductId(), Available: c.GetAvailable(), Sequence: c.GetSequence()})
	}
	news, err := s.service.SetAvailability(ctx, req.GetStoreId(), req.GetEpoch(), changes)
	if err != nil {
		return nil, err
	}
	return &productpb.UpdateAvailabilityResponse{Changed: int32(news)}, nil
}

// PlanPrice implements ProductServiceServer.
func (s *Server) PlanPrice(ctx context.Context, req *productpb.PlanPriceRequest) (*productpb.PlannedPrice, error) {
	given := req.GetPrice()
	price := PlannedPrice{StoreID: given.GetStoreId(), Price: money.FromProto(given.GetPrice()), Start: given.GetStartTime().AsTime()}
	if given.GetStartTime().CheckValid() != nil {
		return nil, fault.Invalid("price.start_time", "must be a time in the years 1 to 9999")
	}
	if given.GetEndTime() != nil {
		if given.GetEndTime().CheckValid() != nil {
			return nil, fault.Invalid("price.end_time", "must be a time in the years 1 to 9999")
		}
		price.End = given.GetEndTime().AsTime()
	}
	planned, err := s.service.Plan(ctx, req.GetProductId(), price)
	if err != nil {
		return nil, err
	}
	return planned.proto(), nil
}

// ListPrices implements ProductServiceServer.
func (s *Server) ListPrices(ctx context.Context, req *productpb.ListPricesRequest) (*productpb.ListPricesResponse, error) {
	prices, err := s.service.Prices(ctx, req.GetProductId())
	if err != nil {
		return nil, err
	}
	list := &productpb.ListPricesResponse{}
	for _, p := range prices {
		list.Prices = append(list.Prices, p.proto())
	}
	return list, nil
}

// DeletePrice implements ProductServiceServer.
func (s *Server) DeletePrice(ctx context.Context, req *productpb.DeletePriceRequest) (*emptypb.Empty, error) {
	if req.GetStartTime().CheckValid() != nil {
		return nil, fault.Invalid("start_time", "must be a time in the years 1 to 9999")
	}
	if err := s.service.Withdraw(ctx, req.GetProductId(), req.GetStoreId(), req.GetStartTime().AsTime()); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// ActivatePrices implements ProductServiceServer.
func (s *Server) ActivatePrices(ctx context.Context, req *productpb.ActivatePricesRequest) (*productpb.ActivatePricesResponse, error) {
	products, more, err := s.service.Activate(ctx, int(req.GetLimit()))
	if err != nil {
		return nil, err
	}
	return &productpb.ActivatePricesResponse{Products: int32(products), More: more}, nil
}

// UpdatePopularity implements ProductServiceServer. Of a product that is named twice the last word counts.
func (s *Server) UpdatePopularity(ctx context.Context, req *productpb.UpdatePopularityRequest) (*productpb.UpdatePopularityResponse, error) {
	popularity := make(map[string]int, len(req.GetProducts()))
	for _, p := range req.GetProducts() {
		popularity[p.GetProductId()] = int(p.GetPopularity())
	}
	changed, err := s.service.SetPopularity(ctx, popularity)
	if err != nil {
		return nil, err
	}
	return &productpb.UpdatePopularityResponse{Changed: int32(changed)}, nil
}

// AuditIndex implements ProductServiceServer.
func (s *Server) AuditIndex(ctx context.Context, req *productpb.AuditIndexRequest) (*productpb.AuditIndexResponse, error) {
	audit, err := s.auditor.Audit(ctx, int(req.GetPageSize()), req.GetPageToken(), req.GetRepair())
	if err != nil {
		return nil, err
	}
	report := &productpb.AuditIndexResponse{
		Checked: int32(audit.Checked), InFlight: int32(audit.InFlight), Repaired: int32(audit.Repaired), NextPageToken: audit.Next,
		LagMs: audit.Lag.Milliseconds(), Documents: audit.Total,
	}
	for _, f := range audit.Findings {
		report.Findings = append(report.Findings, &productpb.IndexFinding{
			Kind: kinds[f.Kind], ProductId: f.ProductID, Revision: f.Revision, IndexedRevision: f.IndexedRevision,
		})
	}
	return report, nil
}

var kinds = map[Kind]productpb.IndexFinding_Kind{
	Missing: productpb.IndexFinding_MISSING, Stale: productpb.IndexFinding_STALE,
	Extra: productpb.IndexFinding_EXTRA, Miscomputed: productpb.IndexFinding_MISCOMPUTED,
}

func answer(p Product, err error) (*productpb.Product, error) {
	if err != nil {
		return nil, err
	}
	return toProto(p), nil
}

var statuses = map[Status]productpb.Product_Status{
	Draft: productpb.Product_DRAFT, Active: productpb.Product_ACTIVE, Retired: productpb.Product_RETIRED,
}

// statusOf is empty for STATUS_UNSPECIFIED.
func statusOf(wire productpb.Product_Status) Status {
	for status, w := range statuses {
		if w == wire {
			return status
		}
	}
	return ""
}

// toProto leaves the cost out, always.
func toProto(p Product) *productpb.Product {
	answered := &productpb.Product{
		ProductId: p.ID, Name: p.Name, BrandId: p.BrandID, Brand: p.Brand, CategoryId: p.CategoryID,
		Description: p.Description, Size: p.Size, Gtin: p.GTIN, Tags: p.Tags, ImageUri: p.ImageURI,
		Status: statuses[p.Status], TaxRateBps: p.TaxRateBPS, StoreIds: p.StoreIDs,
		CreateTime: timestamppb.New(p.CreateTime), UpdateTime: timestamppb.New(p.UpdateTime), Etag: p.Etag(),
		MaxPerShopper: p.MaxPerShopper, FamilyId: p.FamilyID, MoreImageUris: p.MoreImageURIs, PieceGrams: p.PieceGrams,
	}
	if p.Price.Minor > 0 {
		answered.Price = p.Price.Proto()
	}
	for _, v := range p.Variants {
		variant := &productpb.Variant{ProductId: v.ID, Name: v.Name, Size: v.Size}
		if v.Price.Minor > 0 {
			variant.Price = v.Price.Proto()
		}
		answered.Variants = append(answered.Variants, variant)
	}
	return answered
}

func fromProto(p *productpb.Product) Product {
	read := Product{
		ID: p.GetProductId(), Name: p.GetName(), BrandID: p.GetBrandId(), CategoryID: p.GetCategoryId(),
		Description: p.GetDescription(), Size: p.GetSize(), GTIN: p.GetGtin(), Tags: p.GetTags(), ImageURI: p.GetImageUri(),
		Price: money.FromProto(p.GetPrice()), TaxRateBPS: p.GetTaxRateBps(), StoreIDs: p.GetStoreIds(),
		MaxPerShopper: p.GetMaxPerShopper(), FamilyID: p.GetFamilyId(), MoreImageURIs: p.GetMoreImageUris(), PieceGrams: p.GetPieceGrams(),
	}
	read.Status = statusOf(p.GetStatus())
	if p.GetCost() != nil {
		cost := money.FromProto(p.GetCost())
		read.Cost = &cost
	}
	return read
}

func (p PlannedPrice) proto() *productpb.PlannedPrice {
	answered := &productpb.PlannedPrice{StoreId: p.StoreID, Price: p.Price.Proto(), StartTime: timestamppb.New(p.Start)}
	if !p.End.IsZero() {
		answered.EndTime = timestamppb.New(p.End)
	}
	return answered
}
