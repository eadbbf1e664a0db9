"""Networks and engines behind the protocols of `pocai.models.protocols`; `pocai.models.catalog` names them."""
