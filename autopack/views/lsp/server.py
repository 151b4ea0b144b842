"""The protocol: which question is answered where, and when findings are sent."""

import asyncio
import os

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

import autopack
from autopack.views.lsp import completion, findings, formatting, hover, navigation
from autopack.views.lsp.workspace import Workspace

PAUSE_S = 0.15  # between the last change and its findings: most people's pause between two words
WATCHED = "**/*.{yaml,yml}"


class Server(LanguageServer):
    """One client, one workspace. Findings are sent for whole projects, and taken back when they no longer hold."""

    def __init__(self) -> None:
        # Whole texts, not changes: pygls splits lines at more characters than editors and YAML do, so that a change
        # after a form feed or U+2028 would land in the wrong place.
        super().__init__("autopack", autopack.__version__, text_document_sync_kind=lsp.TextDocumentSyncKind.Full)
        self.desk = Workspace()
        self.asked_to_end = False
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._shown: dict[str, set[str]] = {}  # places that have findings in the editor, by root

    def changed(self, place: str | None) -> None:
        """Look again, once nothing has changed for a moment."""
        if place is None:
            return
        root = self.desk.root(place)
        if root in self._waiting:
            self._waiting[root].cancel()
        self._waiting[root] = asyncio.get_running_loop().call_later(PAUSE_S, self.publish, root)

    def publish(self, root: str) -> None:
        self._waiting.pop(root, None)
        for place in self.desk.buffers:
            self.desk.settle(place)
        found = findings.diagnostics(self.desk, root)
        opened = {place for place in self.desk.buffers if self.desk.root(place) == root}
        for place in sorted({*found, *opened, *self._shown.get(root, ())}):
            buffer = self.desk.buffers.get(place)
            told = lsp.PublishDiagnosticsParams(
                self.desk.uri(place), found.get(place, []), buffer.version if buffer else None
            )
            self.text_document_publish_diagnostics(told)
        self._shown[root] = {place for place, problems in found.items() if problems}


def make() -> Server:
    """A server with every answer in place."""
    server = Server()
    _documents(server)
    _files(server)
    _answers(server)
    _edits(server)
    return server


def _place(uri: str) -> str:
    """Raises JsonRpcInvalidParams."""
    place = to_fs_path(uri)
    if place is None:
        raise JsonRpcInvalidParams(message=f"{uri} is no file")
    return place


def _documents(server: Server) -> None:
    @server.feature(lsp.INITIALIZED)
    def started(_params: lsp.InitializedParams) -> None:
        server.desk.encoding = str(server.workspace.position_encoding or "utf-16")
        if _watches(server.client_capabilities):
            watch = lsp.DidChangeWatchedFilesRegistrationOptions([lsp.FileSystemWatcher(WATCHED)])
            wanted = lsp.Registration("files", lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, watch)
            server.client_register_capability(lsp.RegistrationParams([wanted]))

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        document = params.text_document
        server.changed(server.desk.put(document.uri, document.version, document.text))

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        document = params.text_document
        for change in params.content_changes[-1:]:  # each is the whole text
            server.changed(server.desk.put(document.uri, document.version, change.text))

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        server.changed(server.desk.close(params.text_document.uri))


def _files(server: Server) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: lsp.DidSaveTextDocumentParams) -> None:
        server.desk.forget()
        server.changed(to_fs_path(params.text_document.uri))

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def watched(params: lsp.DidChangeWatchedFilesParams) -> None:
        server.desk.forget()
        roots = {server.desk.root(place) for place in server.desk.buffers}
        roots |= {server.desk.root(place) for each in params.changes if (place := to_fs_path(each.uri)) is not None}
        for root in roots:
            server.changed(os.path.join(root, "autopack.yaml"))

    @server.feature(lsp.SHUTDOWN)
    def ending(_params: None) -> None:
        server.asked_to_end = True


def _watches(capabilities: lsp.ClientCapabilities) -> bool:
    about = capabilities.workspace and capabilities.workspace.did_change_watched_files
    return bool(about and about.dynamic_registration)


def _answers(server: Server) -> None:
    @server.feature(
        lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=[" ", ":", "[", "{", ",", "-", ".", "|"])
    )
    def complete(params: lsp.CompletionParams) -> lsp.CompletionList:
        items = completion.completions(server.desk, _place(params.text_document.uri), params.position)
        return lsp.CompletionList(is_incomplete=False, items=items)

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    def hovered(params: lsp.HoverParams) -> lsp.Hover | None:
        return hover.hover(server.desk, _place(params.text_document.uri), params.position)

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    def defined(params: lsp.DefinitionParams) -> list[lsp.Location]:
        return navigation.definition(server.desk, _place(params.text_document.uri), params.position)

    @server.feature(lsp.TEXT_DOCUMENT_REFERENCES)
    def referred(params: lsp.ReferenceParams) -> list[lsp.Location]:
        place, also = _place(params.text_document.uri), params.context.include_declaration
        return navigation.references(server.desk, place, params.position, declarations=also)

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def outlined(params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        return navigation.symbols(server.desk, _place(params.text_document.uri))

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_LINK)
    def linked(params: lsp.DocumentLinkParams) -> list[lsp.DocumentLink]:
        return navigation.links(server.desk, _place(params.text_document.uri))


def _edits(server: Server) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    def formatted(params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit]:
        """As `autopack fmt`; what can't be laid out is said and stays."""
        try:
            return formatting.formatted(server.desk, _place(params.text_document.uri))
        except formatting.Left as error:
            raise JsonRpcInvalidParams(message=str(error)) from error

    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions(code_action_kinds=[lsp.CodeActionKind.QuickFix])
    )
    def acted(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        return findings.actions(server.desk, _place(params.text_document.uri), params.range)

    @server.feature(lsp.TEXT_DOCUMENT_PREPARE_RENAME)
    def prepared(params: lsp.PrepareRenameParams) -> lsp.PrepareRenamePlaceholder | None:
        return navigation.renameable(server.desk, _place(params.text_document.uri), params.position)

    @server.feature(lsp.TEXT_DOCUMENT_RENAME, lsp.RenameOptions(prepare_provider=True))
    def renamed(params: lsp.RenameParams) -> lsp.WorkspaceEdit | None:
        place = _place(params.text_document.uri)
        try:
            return navigation.rename(server.desk, place, params.position, params.new_name)
        except navigation.Refused as error:
            raise JsonRpcInvalidParams(message=str(error)) from error
