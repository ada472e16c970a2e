"""Events of a shop: orders, carts, products, customers. No fields of theirs are known."""

from app.catalog.events.base import Entity

_ORDER = Entity("ecommerce.order")
_CART = Entity("ecommerce.cart")
_PRODUCT = Entity("ecommerce.product")
_CUSTOMER = Entity("ecommerce.customer")

EVENTS = (
    _ORDER.event("created", "Order placed", "Somebody ordered something."),
    _ORDER.event("paid", "Order paid", "An order was paid."),
    _ORDER.event("shipped", "Order shipped", "An order is on its way."),
    _ORDER.event("delivered", "Order delivered", "An order arrived."),
    _ORDER.event("cancelled", "Order cancelled", "An order was called off."),
    _ORDER.event("refunded", "Order refunded", "The money for an order was given back."),
    _CART.event("abandoned", "Cart abandoned", "Somebody left without buying what is in the cart."),
    _CART.event("recovered", "Cart recovered", "Somebody came back to an abandoned cart."),
    _PRODUCT.event("low_stock", "Stock low", "Little is left of a product."),
    _PRODUCT.event("out_of_stock", "Out of stock", "Nothing is left of a product."),
    _PRODUCT.event("restocked", "Restocked", "A product can be had again."),
    _CUSTOMER.event("created", "Customer created", "Somebody became a customer."),
    _CUSTOMER.event("first_purchase", "First purchase", "A customer bought something for the first time."),
)
