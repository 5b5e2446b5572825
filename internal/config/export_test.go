package config

// ShopFields are the fields of a shop of the shops file, for tests.
var ShopFields = shopFields
