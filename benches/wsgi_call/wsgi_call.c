/* What one WSGI call costs CPython, with a server around it that does nothing else.
 *
 * measure(app, base, method, target, query, fields, calls) -> nanoseconds of CPU time
 * prepare(app, longest, request, longer) -> address of a function that makes one call
 *
 * The first makes `calls` calls, one right after the other. The second is for a program that does
 * something else in between (serve.py): its function is told the length of the head that has come, and
 * makes the call for `request`, or for `longer` where that is more than `longest`. Both are the
 * arguments from base to fields as a tuple.
 *
 * Each of `calls` calls does what no server can leave out, and does it the cheapest way there is:
 *
 *   - copies `base`, the environ of the connection;
 *   - makes str from the bytes of the target, the query and the value of each field (Latin-1), and
 *     puts them in under keys that were made before: (key, value as bytes) in `fields`;
 *   - calls app(environ, start_response) by vectorcall; start_response is a C function that looks at
 *     the types of what it gets and copies status, names and values out;
 *   - iterates what came back, copies the pieces out, calls close() where there is one;
 *   - lets go of everything.
 *
 * Not in it: finding the key that belongs to a field's name, repeated fields, a wsgi.input of the
 * request's own, taking and releasing the GIL, checking values, writing the response's head.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>
#include <time.h>

#define MOST_FIELDS 128

/* Where a response is copied to. */
static struct {
    char bytes[1 << 17];
    size_t used;
} out;

static PyObject *the_write;

static int copy_out(const char *bytes, Py_ssize_t length)
{
    if ((size_t)length > sizeof out.bytes - out.used) {
        PyErr_SetString(PyExc_ValueError, "a larger response than this measures");
        return -1;
    }
    memcpy(out.bytes + out.used, bytes, (size_t)length);
    out.used += (size_t)length;
    return 0;
}

static int copy_text(PyObject *text)
{
    if (!PyUnicode_CheckExact(text) || PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND) {
        PyErr_SetString(PyExc_TypeError, "status, names and values must be Latin-1 strings");
        return -1;
    }
    return copy_out((const char *)PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text));
}

static PyObject *start_response(PyObject *Py_UNUSED(self), PyObject *const *args, Py_ssize_t count)
{
    if (count < 2 || count > 3 || !PyList_CheckExact(args[1])) {
        PyErr_SetString(PyExc_TypeError, "start_response(status, headers)");
        return NULL;
    }
    if (copy_text(args[0]) < 0)
        return NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(args[1]); i++) {
        PyObject *field = PyList_GET_ITEM(args[1], i);
        if (!PyTuple_CheckExact(field) || PyTuple_GET_SIZE(field) != 2) {
            PyErr_SetString(PyExc_TypeError, "a field must be a pair");
            return NULL;
        }
        if (copy_text(PyTuple_GET_ITEM(field, 0)) < 0 || copy_text(PyTuple_GET_ITEM(field, 1)) < 0)
            return NULL;
    }
    Py_INCREF(the_write);
    return the_write;
}

/* Nothing measured here calls it, but the standard says that it is there. */
static PyObject *no_write(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(bytes))
{
    PyErr_SetString(PyExc_RuntimeError, "write() is not measured");
    return NULL;
}

static int copy_piece(PyObject *piece)
{
    if (!PyBytes_CheckExact(piece)) {
        PyErr_SetString(PyExc_TypeError, "pieces must be bytes");
        return -1;
    }
    return copy_out(PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece));
}

static int send_all(PyObject *result)
{
    if (PyList_CheckExact(result)) {
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(result); i++)
            if (copy_piece(PyList_GET_ITEM(result, i)) < 0)
                return -1;
        return 0;
    }
    PyObject *pieces = PyObject_GetIter(result);
    if (pieces == NULL)
        return -1;
    PyObject *piece;
    while ((piece = PyIter_Next(pieces)) != NULL) {
        int failed = copy_piece(piece);
        Py_DECREF(piece);
        if (failed < 0)
            break;
    }
    Py_DECREF(pieces);
    if (PyErr_Occurred())
        return -1;
    if (PyObject_HasAttrString(result, "close")) {
        PyObject *closed = PyObject_CallMethod(result, "close", NULL);
        if (closed == NULL)
            return -1;
        Py_DECREF(closed);
    }
    return 0;
}

/* One value of the environ. `key` is borrowed. */
static int put(PyObject *environ, PyObject *key, const char *bytes, Py_ssize_t length)
{
    PyObject *text = PyUnicode_DecodeLatin1(bytes, length, NULL);
    if (text == NULL)
        return -1;
    int failed = PyDict_SetItem(environ, key, text);
    Py_DECREF(text);
    return failed;
}

struct request {
    PyObject *base, *method;
    Py_buffer target, query;
    Py_ssize_t count;
    PyObject *keys[MOST_FIELDS], *values[MOST_FIELDS];
};

static PyObject *key_method, *key_uri, *key_path, *key_query;

static PyObject *environ_of(const struct request *request)
{
    const char *target = request->target.buf;
    PyObject *environ = PyDict_Copy(request->base);
    if (environ == NULL)
        return NULL;
    Py_ssize_t path = request->target.len;
    if (PyDict_SetItem(environ, key_method, request->method) < 0)
        goto failed;
    if (request->query.len) {
        path -= request->query.len + 1;
        if (put(environ, key_uri, target, request->target.len) < 0
            || put(environ, key_path, target, path) < 0
            || put(environ, key_query, request->query.buf, request->query.len) < 0)
            goto failed;
    } else {
        /* The target is the path: one string under two keys. */
        PyObject *text = PyUnicode_DecodeLatin1(target, path, NULL);
        if (text == NULL)
            goto failed;
        int bad = PyDict_SetItem(environ, key_uri, text) < 0
            || PyDict_SetItem(environ, key_path, text) < 0;
        Py_DECREF(text);
        if (bad)
            goto failed;
    }
    for (Py_ssize_t i = 0; i < request->count; i++) {
        PyObject *value = request->values[i];
        if (put(environ, request->keys[i], PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)) < 0)
            goto failed;
    }
    return environ;
failed:
    Py_DECREF(environ);
    return NULL;
}

static int call(PyObject *app, const struct request *request, PyObject *start)
{
    out.used = 0;
    PyObject *environ = environ_of(request);
    if (environ == NULL)
        return -1;
    PyObject *args[] = {environ, start};
    PyObject *result = PyObject_Vectorcall(app, args, 2, NULL);
    int failed = -1;
    if (result != NULL) {
        failed = send_all(result);
        Py_DECREF(result);
    }
    Py_DECREF(environ);
    return failed;
}

static long long cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static PyMethodDef start_method = {
    "start_response", (PyCFunction)(void (*)(void))start_response, METH_FASTCALL, NULL};
static PyMethodDef write_method = {"write", no_write, METH_O, NULL};

/* Fills `request` from the arguments from base to fields; what it points to is `args`'s. */
static int read_request(struct request *request, PyObject *args)
{
    PyObject *fields;
    if (!PyArg_ParseTuple(args, "O!Uy*y*O!", &PyDict_Type, &request->base, &request->method,
                          &request->target, &request->query, &PyList_Type, &fields))
        return -1;
    request->count = PyList_GET_SIZE(fields);
    if (request->count > MOST_FIELDS) {
        PyErr_SetString(PyExc_ValueError, "more fields than this measures");
        return -1;
    }
    for (Py_ssize_t i = 0; i < request->count; i++)
        if (!PyArg_ParseTuple(PyList_GET_ITEM(fields, i), "US", &request->keys[i],
                              &request->values[i]))
            return -1;
    return 0;
}

static void let_go(struct request *request)
{
    PyBuffer_Release(&request->target);
    PyBuffer_Release(&request->query);
}

static PyObject *measure(PyObject *Py_UNUSED(self), PyObject *args)
{
    struct request request = {0};
    PyObject *app, *about;
    Py_ssize_t calls;
    if (!PyArg_ParseTuple(args, "OO!n", &app, &PyTuple_Type, &about, &calls))
        return NULL;
    PyObject *answer = NULL, *start = NULL;
    if (read_request(&request, about) < 0)
        goto end;
    start = PyCFunction_New(&start_method, NULL);
    if (start == NULL)
        goto end;
    long long began = cpu_ns();
    for (Py_ssize_t i = 0; i < calls; i++)
        if (call(app, &request, start) < 0)
            goto end;
    answer = PyLong_FromLongLong(cpu_ns() - began);
end:
    Py_XDECREF(start);
    let_go(&request);
    return answer;
}

/* What again() calls, for the rest of the process. */
static struct {
    PyObject *app, *start;
    struct request request, longer;
    size_t longest;
} prepared;

/* The caller has the GIL. */
static void again(size_t head)
{
    const struct request *request =
        head > prepared.longest ? &prepared.longer : &prepared.request;
    if (call(prepared.app, request, prepared.start) < 0) {
        PyErr_Print();
        exit(1);
    }
}

static PyObject *prepare(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *request, *longer;
    Py_ssize_t longest;
    if (!PyArg_ParseTuple(args, "OnO!O!", &prepared.app, &longest, &PyTuple_Type, &request,
                          &PyTuple_Type, &longer))
        return NULL;
    if (read_request(&prepared.request, request) < 0 || read_request(&prepared.longer, longer) < 0)
        return NULL;
    prepared.start = PyCFunction_New(&start_method, NULL);
    if (prepared.start == NULL)
        return NULL;
    /* It lives as long as the process. */
    Py_INCREF(prepared.app);
    Py_INCREF(request);
    Py_INCREF(longer);
    prepared.longest = (size_t)longest;
    return PyLong_FromVoidPtr((void *)again);
}

/* The response of the last call, as it was copied out: for checking it. */
static PyObject *copied(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(none))
{
    return PyBytes_FromStringAndSize(out.bytes, (Py_ssize_t)out.used);
}

static PyMethodDef methods[] = {
    {"measure", measure, METH_VARARGS, "CPU nanoseconds of so many WSGI calls."},
    {"prepare", prepare, METH_VARARGS, "The address of what makes one call."},
    {"copied", copied, METH_NOARGS, "Status, fields and body of the last one."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "wsgi_call", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_wsgi_call(void)
{
    key_method = PyUnicode_InternFromString("REQUEST_METHOD");
    key_uri = PyUnicode_InternFromString("RAW_URI");
    key_path = PyUnicode_InternFromString("PATH_INFO");
    key_query = PyUnicode_InternFromString("QUERY_STRING");
    the_write = PyCFunction_New(&write_method, NULL);
    if (!key_method || !key_uri || !key_path || !key_query || !the_write)
        return NULL;
    return PyModule_Create(&module);
}
