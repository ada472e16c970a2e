# The API, a worker, or a one-shot job: one image, the command says which (`holdfast api`, `holdfast worker`, ...).

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/holdfast
# The packages change less often than the code: a layer of their own is built anew only when a pin changes.
COPY requirements/server.txt /src/requirements/server.txt
RUN /opt/holdfast/bin/pip install --require-hashes -r /src/requirements/server.txt
COPY . /src
RUN /opt/holdfast/bin/pip install --no-deps --no-build-isolation /src

FROM python:3.13-slim
# A number as well as a name, so that an orchestrator can see that it is not root.
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent holdfast
COPY --from=build /opt/holdfast /opt/holdfast
ENV PATH=/opt/holdfast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOLDFAST_API_HOST=0.0.0.0 \
    HOLDFAST_DATA_DIR=/tmp/holdfast
USER 10001
WORKDIR /tmp
EXPOSE 8000
# Of the API, which is the default command; a worker's is `holdfast health worker`.
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=4 CMD ["holdfast", "health", "api"]
ENTRYPOINT ["holdfast"]
CMD ["api"]
