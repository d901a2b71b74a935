# Values of HTTP without its library: what api/, mail/ and config need without the server.
add_module(http_values
  SOURCES address.cc forms.cc
  DEPS base
  TESTS address_test.cc forms_test.cc)
