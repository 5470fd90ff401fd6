"""A server on a thread of the same process."""

import httpx
import pytest

from szem.errors import DeniedError
from szem.serve.server import serve_beside
from szem.serve.settings import ServeSettings


def test_it_answers_until_it_is_let_go() -> None:
    with serve_beside(ServeSettings(port=0)) as url:
        assert httpx.get(f"{url}/v1/szem/kernels").status_code == 200
        with pytest.raises(DeniedError, match="cannot listen"), serve_beside(ServeSettings(port=int(url[-5:]))):
            pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/v1/szem/kernels")
